#include "cli/npy.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace roost {
namespace {

// A .npy file of version 1.0 with this dictionary.
std::string Npy(std::string dictionary) {
  std::string out("\x93NUMPY\x01\x00", 8);
  dictionary += '\n';
  out.push_back(static_cast<char>(dictionary.size() & 255));
  out.push_back(static_cast<char>(dictionary.size() >> 8));
  return out + dictionary;
}

std::string Dictionary(const std::string& descr, const std::string& order,
                       const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

std::string WriteFile(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + std::to_string(::getpid()) + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(NpyHeader, ReadsWhatNumpyWrites) {
  const std::string file = Npy(Dictionary("<f2", "False", "(7, 3)"));
  const auto header = ParseNpyHeader(file + "rest");
  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->type, NpyType::kFloat16);
  EXPECT_EQ(header->rows, 7u);
  EXPECT_EQ(header->columns, 3u);
  EXPECT_EQ(header->data_offset, file.size());
  const auto flat = ParseNpyHeader(Npy(Dictionary("|i1", "False", "(5,)")));
  ASSERT_TRUE(flat.ok());
  EXPECT_EQ(flat->rows, 5u);
  EXPECT_EQ(flat->columns, 1u);
}

TEST(NpyHeader, ReadsWhatItWrote) {
  NpyHeader header{.type = NpyType::kFloat32, .rows = 123'456'789'012, .columns = 768};
  const std::string bytes = MakeNpyHeader(header);
  EXPECT_EQ(bytes.size(), 128u);
  const auto read = ParseNpyHeader(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->rows, header.rows);
  EXPECT_EQ(read->columns, header.columns);
  EXPECT_EQ(read->data_offset, 128u);
}

TEST(NpyHeader, RefusesEveryCutHeader) {
  const std::string whole = MakeNpyHeader({.rows = 2, .columns = 4});
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto header = ParseNpyHeader(std::string_view(whole).substr(0, length));
    ASSERT_FALSE(header.ok()) << length;
    EXPECT_EQ(header.code(), Code::kInvalidArgument);
  }
}

TEST(NpyHeader, SaysWhatIsNotSupported) {
  const std::pair<std::string, std::string> cases[] = {
      {"PK\x03\x04 an archive of numpy", "no .npy file"},
      {Npy(Dictionary(">f4", "False", "(1, 2)")), ">f4"},
      {Npy(Dictionary("<c8", "False", "(1, 2)")), "<c8"},
      {Npy(Dictionary("<f4", "True", "(1, 2)")), "ascontiguousarray"},
      {Npy(Dictionary("<f4", "False", "(1, 2, 3)")), "3 dimensions"},
      {Npy(Dictionary("<f4", "False", "()")), "0 dimensions"},
      {Npy(Dictionary("<f4", "False", "(1, 0)")), "0 elements"},
      {Npy(Dictionary("<f4", "False", "(-1, 2)")), "-1"},
      {Npy(Dictionary("<f4", "False", "(99999999999999999999, 2)")), "99999999999999999999"},
      {Npy("{'shape': (1, 2)}"), "elements of type"},
      {Npy("{'descr': '<f4', 'fortran_order': False, 'shape': "), "dimensions"},
      {Npy("{'descr': '<f4"), "stored by columns"},
  };
  for (const auto& [bytes, words] : cases) {
    const auto header = ParseNpyHeader(bytes);
    ASSERT_FALSE(header.ok()) << words;
    EXPECT_EQ(header.code(), Code::kInvalidArgument);
    EXPECT_NE(header.error().message.find(words), std::string::npos) << header.error().message;
  }
}

TEST(NpyHeader, LivesThroughAnyFlippedByte) {
  const std::string whole = MakeNpyHeader({.rows = 2, .columns = 4});
  for (size_t at = 0; at < whole.size(); ++at) {
    for (const int flip : {0x01, 0x10, 0x80, 0xFF}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const auto header = ParseNpyHeader(damaged);
      if (header.ok()) {
        EXPECT_LE(header->data_offset, damaged.size());
        EXPECT_GT(header->columns, 0u);
      }
    }
  }
}

TEST(NpyReader, GivesRowsWithEveryDigit) {
  const float numbers[] = {0.1F, -3.4028235e38F, 1e-45F, 2};
  const std::string path =
      WriteFile("rows.npy", MakeNpyHeader({.rows = 2, .columns = 2}) +
                                std::string(reinterpret_cast<const char*>(numbers), 16));
  auto reader = NpyReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  std::string json;
  for (int row = 0; row < 2; ++row) {
    const auto bytes = reader->Next();
    ASSERT_TRUE(bytes.ok());
    AppendNpyRow(json, reader->header().type, *bytes);
  }
  EXPECT_EQ(json, "[0.1,-3.4028235e+38][1e-45,2]");
  EXPECT_TRUE(reader->Next()->empty());
  ::unlink(path.c_str());
}

TEST(NpyReader, RefusesAFileThatIsShorterThanItsHeaderSays) {
  const std::string path =
      WriteFile("short.npy", MakeNpyHeader({.rows = 3, .columns = 2}) + std::string(23, 'x'));
  const auto reader = NpyReader::Open(path);
  ASSERT_FALSE(reader.ok());
  EXPECT_EQ(reader.code(), Code::kDataLoss);
  EXPECT_NE(reader.error().message.find("3 rows of 8"), std::string::npos);
  ::unlink(path.c_str());
  EXPECT_EQ(NpyReader::Open(path).code(), Code::kNotFound);
}

}  // namespace
}  // namespace roost
