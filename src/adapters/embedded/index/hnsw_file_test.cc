#include "adapters/embedded/index/hnsw_file.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/index/test_vectors.h"
#include "base/hash.h"

namespace roost::embedded {
namespace {

/// A file's bytes where a mapping would put them.
class Aligned {
 public:
  explicit Aligned(const std::string& file) : words_((file.size() + 7) / 8), size_(file.size()) {
    std::memcpy(words_.data(), file.data(), file.size());
  }
  char* data() { return reinterpret_cast<char*>(words_.data()); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words_)).first(size_); }

 private:
  std::vector<uint64_t> words_;
  size_t size_;
};

std::string FileOf(const VectorColumn& column) {
  auto index = BuildHnsw(column, {.m = 4, .ef_construction = 20}, {});
  return (*index)->Serialize();
}

TEST(HnswFile, AnswersTheSameAfterARoundTrip) {
  for (const auto& [type, metric] : {std::pair{DataType::kFloatVector, Metric::kCosine},
                                     std::pair{DataType::kFloatVector, Metric::kInnerProduct},
                                     std::pair{DataType::kInt8Vector, Metric::kL2},
                                     std::pair{DataType::kBinaryVector, Metric::kJaccard}}) {
    auto rows = ClusteredVectors(2'000, 40, 1);
    rows[5] = rows[4];
    const TestColumn column(type, metric, 40, rows);
    const auto built = BuildHnsw(column.view(), {}, {});
    ASSERT_TRUE(built.ok());
    const Aligned file((*built)->Serialize());
    const auto opened = OpenHnsw(column.view(), file.bytes());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    for (uint32_t i = 0; i < 50; ++i) {
      const IndexSearch search{.query = Bytes(column.vector(i).bytes)};
      const auto a = (*built)->Search(search);
      const auto b = (*opened)->Search(search);
      ASSERT_EQ(a.size(), b.size());
      for (size_t j = 0; j < a.size(); ++j) {
        EXPECT_EQ(a[j].slot, b[j].slot);
        EXPECT_EQ(a[j].distance, b[j].distance);
      }
    }
    EXPECT_EQ((*opened)->Serialize(), (*built)->Serialize());
    EXPECT_LT((*opened)->memory_bytes(), 100'000u) << "the file is used in its place";
  }
}

TEST(HnswFile, NoticesEveryFlippedBit) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(30, 4, 1));
  const std::string good = FileOf(column.view());
  Aligned file(good);
  ASSERT_TRUE(OpenHnsw(column.view(), file.bytes()).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      file.data()[i] = static_cast<char>(good[i] ^ (1 << bit));
      ASSERT_EQ(OpenHnsw(column.view(), file.bytes()).code(), Code::kDataLoss) << i << "." << bit;
    }
    file.data()[i] = good[i];
  }
}

TEST(HnswFile, NoticesEveryMissingEnd) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(30, 4, 1));
  const Aligned file(FileOf(column.view()));
  for (size_t size = 0; size < file.bytes().size(); ++size) {
    ASSERT_EQ(OpenHnsw(column.view(), file.bytes().first(size)).code(), Code::kDataLoss) << size;
  }
}

TEST(HnswFile, RefusesAnotherColumn) {
  const auto rows = ClusteredVectors(100, 4, 1);
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, rows);
  const Aligned file(FileOf(column.view()));
  const auto refuses = [&](const VectorColumn& other) {
    EXPECT_EQ(OpenHnsw(other, file.bytes()).code(), Code::kDataLoss);
  };
  refuses(TestColumn(DataType::kFloatVector, Metric::kCosine, 4, rows).view());
  refuses(TestColumn(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(100, 4, 2)).view());
  refuses(TestColumn(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(99, 4, 1)).view());
  TestColumn sparse(DataType::kFloatVector, Metric::kL2, 4, rows);
  sparse.Erase(50);
  refuses(sparse.view());
  sparse = TestColumn(DataType::kFloatVector, Metric::kL2, 4, rows);
  sparse.Erase(50);
}

TEST(HnswFile, TakesABitmapOfAllForNoBitmap) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(100, 4, 1));
  const Aligned file(FileOf(column.view()));
  const std::vector<uint64_t> all(2, ~uint64_t{0});
  VectorColumn view = column.view();
  view.present = all;
  EXPECT_TRUE(OpenHnsw(view, file.bytes()).ok());
}

TEST(HnswFile, RefusesLinksThatLeadNowhereEvenWithAGoodChecksum) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(200, 4, 1));
  const std::string good = FileOf(column.view());
  const auto* header = reinterpret_cast<const HnswHeader*>(good.data());
  ASSERT_GT(header->upper_lists, 0u);
  const auto damaged = [&](auto change) {
    Aligned file(good);
    auto sections = MutableSections(reinterpret_cast<std::byte*>(file.data()), *header);
    change(sections);
    SealChecksum({reinterpret_cast<std::byte*>(file.data()), good.size()});
    return OpenHnsw(column.view(), file.bytes()).code();
  };
  using Sections = HnswSections<std::byte>;
  EXPECT_EQ(damaged([](Sections&) {}), Code::kOk);
  EXPECT_EQ(damaged([](Sections& s) { s.ground[0] = 200; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.ground[8 * 199] = 0x7fffffff; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.upper[0] = 200; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.slots[3] = 200; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.node_of[3] = 200; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.levels[3] = 200; }), Code::kDataLoss);
  EXPECT_EQ(damaged([](Sections& s) { s.header->entry = 200; }), Code::kDataLoss);
  EXPECT_EQ(
      damaged([](Sections& s) { std::fill_n(s.upper_at, s.header->nodes, s.header->upper_lists); }),
      Code::kDataLoss);
}

TEST(HnswFile, RefusesBytesThatAreNotAligned) {
  const TestColumn column(DataType::kFloatVector, Metric::kL2, 4, ClusteredVectors(10, 4, 1));
  const std::string good = FileOf(column.view());
  const Aligned file("1" + good);
  EXPECT_EQ(OpenHnsw(column.view(), file.bytes().subspan(1)).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace roost::embedded
