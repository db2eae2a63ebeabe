#include "net/store_address.h"

#include <gtest/gtest.h>

namespace roost {
namespace {

const StoreAddressRules kRules{
    .scheme = "milvus", .default_port = 19530, .options = {"grpc_port", "consistency", "fast"}};

std::string ErrorOf(const std::string& text) {
  const auto address = ParseStoreAddress(text, kRules);
  EXPECT_FALSE(address.ok()) << text;
  return address.ok() ? "" : address.error().message;
}

TEST(StoreAddress, ReadsEveryPart) {
  const auto address = ParseStoreAddress(
      "milvus://ro%40ot:p%3A%2Fw%25@db1:1,[fe80::1]:2,10.0.0.3/my%20books?tls=true&verify=false&"
      "ca_file=/etc/ca.pem&cert_file=c.pem&key_file=k.pem&token=a%26b&api_key=k=1&grpc_port=50051",
      kRules);
  ASSERT_TRUE(address.ok()) << address.error().message;
  EXPECT_EQ(address->user, "ro@ot");
  EXPECT_EQ(address->password, "p:/w%");
  EXPECT_EQ(address->hosts,
            (std::vector<HostPort>{{"db1", 1}, {"fe80::1", 2}, {"10.0.0.3", 19530}}));
  EXPECT_EQ(address->database, "my books");
  EXPECT_TRUE(address->tls.enabled);
  EXPECT_FALSE(address->tls.verify);
  EXPECT_EQ(address->tls.ca_file, "/etc/ca.pem");
  EXPECT_EQ(address->tls.certificate_file, "c.pem");
  EXPECT_EQ(address->tls.key_file, "k.pem");
  EXPECT_EQ(address->token, "a&b");
  EXPECT_EQ(address->api_key, "k=1");
  EXPECT_EQ(address->options.at("grpc_port"), "50051");
  EXPECT_EQ(address->ToString(), "milvus://ro@ot@db1:1,[fe80::1]:2,10.0.0.3:19530/my books");
}

TEST(StoreAddress, AHostAloneIsEnough) {
  const auto address = ParseStoreAddress("MILVUS://[::1]", kRules);
  ASSERT_TRUE(address.ok()) << address.error().message;
  EXPECT_EQ(address->hosts, (std::vector<HostPort>{{"::1", 19530}}));
  EXPECT_FALSE(address->tls.enabled);
  EXPECT_TRUE(address->tls.verify);
  EXPECT_EQ(address->user, "");
  EXPECT_EQ(address->database, "");
  EXPECT_TRUE(ParseStoreAddress("milvus://h/", kRules).ok());
  EXPECT_TRUE(ParseStoreAddress("milvus://h?", kRules).ok());
}

TEST(StoreAddress, APasswordMayHoldAnAtSign) {
  const auto address = ParseStoreAddress("milvus://u:a@b@h", kRules);
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->password, "a@b");
  EXPECT_EQ(address->hosts[0].host, "h");
}

TEST(StoreAddress, AnUnknownOptionIsNamedWithTheKnownOnes) {
  EXPECT_EQ(ErrorOf("milvus://h?colour=red"),
            "the milvus address has an unknown option \"colour\"; known are api_key, ca_file, "
            "cert_file, consistency, fast, grpc_port, key_file, tls, token, verify; percent-encode "
            "\"@ : / ? & # %\" in user, password and option values");
}

TEST(StoreAddress, ErrorsNeverRepeatASecret) {
  for (const std::string text :
       {"milvus://u:hush/hush@h", "milvus://u:hush:hush@h:hush", "milvus://u:hush?hush@h",
        "milvus://u:hush#hush@h", "milvus://u:%hush@h", "milvus://u:/hush@h/db",
        "milvus://h?token=hush&hush=1", "milvus://h?token=%hush", "milvus://h?api_key=hush&hush",
        "milvus://u:hush@h:70000", "milvus://u:hush@", "milvus://u:hush@h?tls=hush",
        "milvus://u:hush@[h]", "milvus://u:hush@h?tls=true&cert_file=hush", "hush://u:hush@h",
        "milvus://u:hush,hush:hush@hush:x", "milvus://u:h%0Aush@h", "milvus://u:a,hush:x"}) {
    EXPECT_EQ(ErrorOf(text).find("ush"), std::string::npos) << text << ": " << ErrorOf(text);
  }
}

TEST(StoreAddress, SaysWhatIsWrong) {
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(ErrorOf(text).find(part), std::string::npos) << text << ": " << ErrorOf(text);
  };
  says("http://h", "must begin with \"milvus://\"");
  says("", "must begin with \"milvus://\"");
  says("milvus://", "no valid name in host 1");
  says("milvus://h,", "no valid name in host 2");
  says("milvus://h h", "no valid name in host 1");
  says("milvus://a,b:0", "port that is no number from 1 to 65535 in host 2");
  says("milvus://a:65536", "port");
  says("milvus://a:", "port");
  says("milvus://a:-1", "port");
  says("milvus://::1", "put an IPv6 address into brackets");
  says("milvus://[::1", "lacks the \"]\"");
  says("milvus://[::1]x", "brackets around something else");
  says("milvus://h/a/b", "only a database's name");
  says("milvus://h?tls", "gives option \"tls\" no value");
  says("milvus://h?tls=1", "option \"tls\" takes true or false");
  says("milvus://h?tls=true&tls=false", "gives option \"tls\" twice");
  says("milvus://h?ca_file=x", "add tls=true");
  says("milvus://h?tls=true&cert_file=x", "both cert_file and key_file");
  says("milvus://h?token=%4", "\"%\" is not followed by two hex digits");
  says("milvus://h/%00", "control character");
}

TEST(StoreAddress, OptionsAreReadByTheirKind) {
  const auto address =
      ParseStoreAddress("milvus://h?grpc_port=99&consistency=Strong&fast=yes", kRules);
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->Text("consistency", "Bounded"), "Strong");
  EXPECT_EQ(address->Text("absent", "Bounded"), "Bounded");
  EXPECT_EQ(*address->Number("grpc_port", 1, 1, 100), 99);
  EXPECT_EQ(*address->Number("absent", 7, 10, 100), 7);
  EXPECT_EQ(address->Number("grpc_port", 1, 1, 98).error().message,
            "option \"grpc_port\" takes a whole number from 1 to 98");
  EXPECT_EQ(address->Number("consistency", 1, 1, 98).code(), Code::kInvalidArgument);
  EXPECT_EQ(address->Flag("fast", true).code(), Code::kInvalidArgument);
  EXPECT_TRUE(*address->Flag("absent", true));
  EXPECT_EQ(*address->Milliseconds("grpc_port", std::chrono::seconds(1)),
            std::chrono::milliseconds(99));
  EXPECT_EQ(*address->Milliseconds("absent", std::chrono::seconds(1)), std::chrono::seconds(1));
}

}  // namespace
}  // namespace roost
