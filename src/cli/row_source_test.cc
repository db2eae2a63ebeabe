#include "cli/row_source.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/npy.h"
#include "cli/row_sink.h"

namespace roost {
namespace {

class RowFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    std::ofstream(Path(name), std::ios::binary) << bytes;
    return Path(name);
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(Path(name), std::ios::binary).rdbuf();
    return text.str();
  }
  size_t FilesThere() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                             std::filesystem::directory_iterator()));
  }

 private:
  const std::string folder_ = testing::TempDir() + "row_files" + std::to_string(::getpid());
};

// "1:{...}" for rows, "2!why" for rows that cannot be read; "end: why" for an error of the file.
std::string All(Result<std::unique_ptr<RowSource>> source) {
  std::string out;
  while (source.ok()) {
    const auto row = (*source)->Next();
    if (!row.ok()) {
      return out + "end: " + row.error().message;
    }
    if (!*row) {
      return out;
    }
    out += std::to_string((*row)->number) +
           ((*row)->error.empty() ? ":" + (*row)->json : "!" + (*row)->error) + "\n";
  }
  return out + "open: " + source.error().message;
}

std::string Gzip(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST_F(RowFiles, JsonLinesAreCountedAsEditorsDo) {
  const std::string path =
      Write("a.jsonl", "\xEF\xBB\xBF{\"id\":1}\r\n\n  {\"id\":2}  \n{\"id\":3");
  const std::string rows = All(OpenJsonLines(path));
  EXPECT_TRUE(rows.starts_with("1:{\"id\":1}\n3:{\"id\":2}\n4!not valid JSON")) << rows;
}

TEST_F(RowFiles, ALineThatIsNoObjectIsARowWithAnError) {
  EXPECT_EQ(All(OpenJsonLines(Write("a.jsonl", "[1]\n{\"a\":1}\n5\n"))),
            "1!not a JSON object\n2:{\"a\":1}\n3!not a JSON object\n");
  const std::string two = All(OpenJsonLines(Write("b.jsonl", "{\"a\":1}{\"b\":2}\n")));
  EXPECT_TRUE(two.starts_with("1!not valid JSON")) << two;
}

TEST_F(RowFiles, LinesLongerThanTheBufferAreWhole) {
  const std::string line = "{\"a\":\"" + std::string(700'000, 'x') + "\"}";
  EXPECT_EQ(All(OpenJsonLines(Write("a.jsonl", line + "\n{}\n" + line))),
            "1:" + line + "\n2:{}\n3:" + line + "\n");
}

TEST_F(RowFiles, GzipIsReadByItselfAndACutOneIsTold) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) {
    text += "{\"id\":" + std::to_string(i * 7919 % 10'007) + "}\n";
  }
  const std::string bytes = Gzip(text);
  const std::string whole = All(OpenJsonLines(Write("a.jsonl.gz", bytes)));
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 10'000);
  const std::string cut =
      All(OpenJsonLines(Write("b.jsonl.gz", bytes.substr(0, bytes.size() / 2))));
  EXPECT_NE(cut.find("end: " + Path("b.jsonl.gz") + ": cannot be read after line"),
            std::string::npos)
      << cut.substr(cut.size() - 200);
}

TEST_F(RowFiles, FilesThatAreNotThereAndFoldersAreTold) {
  EXPECT_EQ(OpenJsonLines(Path("none")).code(), Code::kNotFound);
  EXPECT_EQ(OpenJsonLines(Path("")).code(), Code::kInvalidArgument);
  EXPECT_EQ(FormatOfName("a.parquet"), "parquet");
  EXPECT_EQ(FormatOfName("a.npy"), "npy");
  EXPECT_EQ(FormatOfName("a.jsonl.gz"), "jsonl");
}

std::string Matrix(const std::vector<float>& numbers, uint64_t columns) {
  return MakeNpyHeader({.rows = numbers.size() / columns, .columns = columns}) +
         std::string(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4);
}

TEST_F(RowFiles, NpyRowsHaveTheirNumberAsKeyInTheCollectionsType) {
  const std::string path = Write("a.npy", Matrix({1, 2, 3, 4.5}, 2));
  EXPECT_EQ(All(OpenNpyRows(path, "id", "v")),
            "1:{\"id\":0,\"v\":[1,2]}\n2:{\"id\":1,\"v\":[3,4.5]}\n");
  auto source = OpenNpyRows(path, "id", "v");
  ASSERT_TRUE(source.ok());
  EXPECT_EQ((*source)->schema()->vectors[0].dimension, 2u);
  CollectionSchema schema;
  schema.key_field = "key";
  schema.vectors = {{.name = "v", .dimension = 2}};
  (*source)->UseSchema(schema);
  EXPECT_EQ(All(std::move(source)),
            "1:{\"key\":\"0\",\"v\":\"AACAPwAAAEA=\"}\n2:{\"key\":\"1\",\"v\":\"AABAQAAAkEA=\"}\n");
}

TEST_F(RowFiles, VectorsAreAddedRowByRow) {
  const std::string path = Write("a.npy", Matrix({1, 2, 3, 4}, 2));
  EXPECT_EQ(All(OpenWithVectors(*OpenJsonLines(Write("a.jsonl", "{\"id\":1}\n{ }\n")), path, "v")),
            "1:{\"id\":1,\"v\":[1,2]}\n2:{ \"v\":[3,4]}\n");
  const std::string few =
      All(OpenWithVectors(*OpenJsonLines(Write("b.jsonl", "{\"id\":1}\n")), path, "v"));
  EXPECT_NE(few.find("holds 2 vectors, but there are only 1 records"), std::string::npos) << few;
  const std::string many =
      All(OpenWithVectors(*OpenJsonLines(Write("c.jsonl", "{}\n{}\n\n{}\n")), path, "v"));
  EXPECT_NE(many.find("the record of line 4 has none"), std::string::npos) << many;
}

CollectionSchema WithVector(DataType type) {
  CollectionSchema schema;
  schema.name = "c";
  schema.vectors = {{.name = "v", .type = type, .dimension = 2}};
  return schema;
}

TEST_F(RowFiles, NothingIsLeftOfAnExportThatDoesNotFinish) {
  const std::vector<std::string> records = {R"({"id":"a","v":[1,2]})"};
  for (const std::string format : {"jsonl", "npy"}) {
    auto sink = MakeRowSink({.path = Path("out"), .format = format},
                            WithVector(DataType::kFloatVector), "{}");
    ASSERT_TRUE(sink.ok()) << sink.error().message;
    ASSERT_TRUE((*sink)->Write(records).ok());
    EXPECT_EQ(FilesThere(), 1u);
    sink->reset();
    EXPECT_EQ(FilesThere(), 0u);
  }
}

TEST_F(RowFiles, AnExportedMatrixHasTheVectorsBitsAndTheRestBesideIt) {
  const std::vector<std::string> records = {R"({"id":"a","v":[0.1,-1e-45],"t":"x"})",
                                            R"({"v":[3.4028235e+38,2],"id":"b"})"};
  auto sink = MakeRowSink({.path = Path("v.npy"), .format = "npy", .rows_path = Path("rest.jsonl")},
                          WithVector(DataType::kFloatVector), "{}");
  ASSERT_TRUE(sink.ok());
  ASSERT_TRUE((*sink)->Write(records).ok());
  ASSERT_TRUE((*sink)->Finish().ok());
  EXPECT_EQ(Read("v.npy"), Matrix({0.1F, -1e-45F, 3.4028235e38F, 2}, 2));
  EXPECT_EQ(Read("rest.jsonl"), "{\"id\":\"a\",\"t\":\"x\"}\n{\"id\":\"b\"}\n");
  EXPECT_EQ(FilesThere(), 2u);
}

TEST_F(RowFiles, AMatrixNeedsAVectorInEveryRecord) {
  auto sink = MakeRowSink({.path = Path("v.npy"), .format = "npy"},
                          WithVector(DataType::kFloatVector), "{}");
  ASSERT_TRUE(sink.ok());
  const std::vector<std::string> records = {R"({"id":"a","v":[1,2]})", R"({"id":"b","v":null})"};
  const Status status = (*sink)->Write(records);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("record 2 has no vector \"v\""), std::string::npos);
  EXPECT_EQ(MakeRowSink({.path = Path("s.npy"), .format = "npy"},
                        WithVector(DataType::kSparseVector), "{}")
                .code(),
            Code::kInvalidArgument);
  EXPECT_EQ(MakeRowSink({.format = "npy"}, WithVector(DataType::kFloatVector), "{}").code(),
            Code::kInvalidArgument);
}

TEST(SplitRecords, GivesEachRecordAsItStands) {
  const auto records = SplitRecords(R"({"records":[{"a": 1.50},{"b":"}]"}],"done":true})");
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(*records, (std::vector<std::string>{R"({"a": 1.50})", R"({"b":"}]"})"}));
  EXPECT_EQ(SplitRecords("{\"records\":[{").code(), Code::kDataLoss);
}

}  // namespace
}  // namespace roost
