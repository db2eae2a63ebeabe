#include "store/conformance/claims.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/conformance/conformance.h"
#include "store/fake_store.h"

namespace roost {
namespace {

using testing::HasSubstr;

/// A file of the tree; tests run at its root.
std::string FileText(const std::string& name) {
  std::ifstream file(name);
  EXPECT_TRUE(file.is_open()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Capabilities Claimed() {
  auto capabilities = MakeFakeStore()->capabilities();
  capabilities.version = "Fake 1.0";
  return capabilities;
}

/// A page with the table as it should be.
std::string Page(const Capabilities& capabilities) {
  const std::string count = std::to_string(ConformanceTestNames().size());
  std::string page = "# Stores\n<!-- made by tools/stores_table.py -->\n| | Other 2 | " +
                     StoreTitle(capabilities) + " | shown by |\n| --- | --- | --- | --- |\n" +
                     "| checks passed | - | " + count + " of " + count + " | the whole suite |\n";
  for (const auto& claim : StoreClaims(capabilities)) {
    page += "| " + claim.name + " | - | " + claim.value + " |";
    for (const auto& check : claim.shown_by) {
      page += " " + check;
    }
    page += " |\n";
  }
  return page + "<!-- end of what it made -->\n";
}

TEST(StoreClaims, NameChecksOfTheSuite) {
  const auto names = ConformanceTestNames();
  for (const auto& claim : StoreClaims(Claimed())) {
    EXPECT_FALSE(claim.shown_by.empty()) << claim.name;
    for (const auto& check : claim.shown_by) {
      EXPECT_NE(std::find(names.begin(), names.end(), check), names.end())
          << claim.name << " names " << check;
    }
  }
}

TEST(StoreClaims, KnowEveryCapability) {
  std::istringstream header(FileText("src/store/capabilities.h"));
  const std::string known =
      FileText("src/store/conformance/claims.cc") + FileText("src/store/conformance/claims.h");
  const std::regex member(R"(^  [a-z].*? ([a-z_]+)( = |\{|;))");
  int found = 0;
  for (std::string line; std::getline(header, line);) {
    std::smatch parts;
    if (std::regex_search(line, parts, member)) {
      ++found;
      EXPECT_THAT(known, HasSubstr(parts[1].str()))
          << "add it to StoreClaims(), with the checks that try it";
    }
  }
  EXPECT_GE(found, 20) << "members of Capabilities";
}

TEST(StoreClaims, AreReadAsPeopleWriteThem) {
  auto capabilities = Claimed();
  capabilities.max_integer_key = std::numeric_limits<int64_t>::max() - 1;
  capabilities.min_integer_key = -1'234'567;
  capabilities.max_top_k = 16'384;
  const auto value = [&](const std::string& name) {
    for (const auto& claim : StoreClaims(capabilities)) {
      if (claim.name == name) {
        return claim.value;
      }
    }
    return std::string("(none)");
  };
  EXPECT_EQ(value("highest INT64 key"), "2^63 − 2");
  EXPECT_EQ(value("lowest INT64 key"), "-1,234,567");
  EXPECT_EQ(value("top_k and offset together"), "16,384");
  EXPECT_EQ(value("BOOL"), "yes");
  capabilities.max_integer_key = std::numeric_limits<int64_t>::max();
  capabilities.min_integer_key = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(value("highest INT64 key"), "2^63 − 1");
  EXPECT_EQ(value("lowest INT64 key"), "−2^63");
  capabilities.types.erase(DataType::kBool);
  EXPECT_EQ(value("BOOL"), "no");
}

TEST(StoreClaims, TableMustSayWhatTheStoreClaims) {
  const auto claimed = Claimed();
  const std::string page = Page(claimed);
  const Status same = CheckDocumented(page, claimed);
  EXPECT_TRUE(same.ok()) << same.error().ToString();

  auto other = claimed;
  other.tenants = !other.tenants;
  EXPECT_THAT(CheckDocumented(page, other).error().message, HasSubstr("\"tenants\""));
  other = claimed;
  other.max_key_bytes += 1;
  EXPECT_THAT(CheckDocumented(page, other).error().message, HasSubstr("bytes of a VARCHAR key"));
  other = claimed;
  other.version = "Fake 1.1";
  EXPECT_THAT(CheckDocumented(page, other).error().message, HasSubstr("no column \"Fake 1.1\""));

  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = page;
    text.replace(text.find(from), from.size(), to);
    return CheckDocumented(text, claimed).ok();
  };
  EXPECT_FALSE(changed("| BOOL | - | yes", "| BOOL | - | no"));
  EXPECT_FALSE(changed("RoundTrip_BOOL ", ""));
  EXPECT_FALSE(changed(" of ", " off "));
  EXPECT_FALSE(changed("<!-- end", "| more | - | yes | X |\n<!-- end"));
  EXPECT_FALSE(changed("<!-- made", "<!-- "));
}

}  // namespace
}  // namespace roost
