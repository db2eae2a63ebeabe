#include "migration/mapping/mapped_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/fake_store.h"

namespace roost {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

CollectionSchema Books() {
  CollectionSchema schema;
  schema.name = "books";
  schema.fields = {{.name = "title", .type = DataType::kText},
                   {.name = "more", .type = DataType::kJson}};
  schema.vectors = {{.name = "cover", .dimension = 2, .metric = Metric::kL2},
                    {.name = "mood", .dimension = 2, .metric = Metric::kL2}};
  return schema;
}

/// The title is called otherwise and is no text any more, JSON is text, one vector is only carried.
SchemaMapping Mapping() {
  SchemaMapping mapping{.schema = Books(), .source_name = {{"name", "title"}}};
  mapping.schema.fields = {{.name = "name", .type = DataType::kVarChar},
                           {.name = "more", .type = DataType::kVarChar},
                           {.name = "mood", .type = DataType::kVarChar}};
  mapping.schema.vectors.resize(1);
  mapping.schema.vectors[0].index = "FLAT";
  return mapping;
}

class MappedStoreTest : public ::testing::Test {
 protected:
  MappedStoreTest() {
    path_ = ::testing::TempDir() + "/mappings." + std::to_string(::getpid()) + ".db";
    Open();
  }
  ~MappedStoreTest() override {
    control_.reset();
    for (const char* end : {"", "-wal", "-shm"}) {
      ::unlink((path_ + end).c_str());
    }
  }
  /// As a process that starts.
  void Open() {
    mapped_.reset();
    table_.reset();
    control_.reset();
    auto control = OpenSqliteControlStore({.path = path_}, *metrics_);
    ASSERT_TRUE(control.ok()) << control.error().message;
    control_ = *std::move(control);
    table_ = std::make_unique<MappingTable>(*control_);
    ASSERT_TRUE(table_->Load().ok());
    mapped_ = MakeMappedStore("fake", *fake_, *table_);
  }
  void Create() {
    const auto mapper = RecordMapper::Make(Books(), Mapping());
    ASSERT_TRUE(mapper.ok()) << mapper.error().message;
    ControlTransaction transaction;
    transaction.put_mappings = {MappingTable::Row("fake", **mapper)};
    ASSERT_TRUE(control_->Commit({}, std::move(transaction)).ok());
    table_->Publish("fake", "books", *mapper);
    ASSERT_TRUE(mapped_->CreateCollection({}, {.schema = Books()}).ok());
    Record book{.key = {.key = std::string("b1")}};
    book.fields["title"] = std::string("Emma");
    book.fields["more"] = Json{"[1]"};
    book.vectors["cover"] = Vector::Floats(std::vector<float>{1, 2});
    book.vectors["mood"] = Vector::Floats(std::vector<float>{3, 4});
    ASSERT_TRUE(mapped_->Upsert({}, {.collection = "books", .records = {book}}).ok());
    book_ = book;
  }
  Record Stored() {
    const auto got = fake_->Get({}, {.collection = "books", .keys = {{.key = std::string("b1")}}});
    EXPECT_TRUE(got.ok() && got->records[0].has_value());
    return got.ok() && got->records[0] ? *got->records[0] : Record{};
  }

  std::string path_;
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<VectorStore> fake_ = MakeFakeStore();
  std::unique_ptr<ControlStore> control_;
  std::unique_ptr<MappingTable> table_;
  std::unique_ptr<VectorStore> mapped_;
  Record book_;
};

TEST_F(MappedStoreTest, TheStoreHoldsTheMappingAndUsersSeeTheirSchema) {
  Create();
  EXPECT_EQ(std::get<std::string>(Stored().fields.at("name")), "Emma");
  EXPECT_THAT(Stored().vectors, SizeIs(1));
  const auto described = mapped_->DescribeCollection({}, "books");
  ASSERT_TRUE(described.ok());
  EXPECT_EQ(described->schema.fields, Books().fields);
  EXPECT_EQ(described->schema.vectors[0].index, "FLAT") << "the index that it has";
  const auto page = mapped_->Scan({}, {.collection = "books"});
  ASSERT_TRUE(page.ok());
  ASSERT_THAT(page->records, SizeIs(1));
  EXPECT_TRUE(SameRecord(page->records[0], book_));
}

TEST_F(MappedStoreTest, OutputFieldsBringCarriedVectorsWhereAskedFor) {
  Create();
  GetRequest request{.collection = "books", .keys = {book_.key}};
  request.output = {.all_scalars = false, .fields = {"title"}, .vectors = true};
  auto got = mapped_->Get({}, request);
  ASSERT_TRUE(got.ok());
  EXPECT_THAT(got->records[0]->fields, SizeIs(1));
  EXPECT_THAT(got->records[0]->vectors, SizeIs(2));
  request.output = {.all_scalars = true, .fields = {}, .vectors = false};
  got = mapped_->Get({}, request);
  EXPECT_THAT(got->records[0]->fields, SizeIs(2));
  EXPECT_THAT(got->records[0]->vectors, SizeIs(0));
}

TEST_F(MappedStoreTest, WhatAMappingHidesIsRefusedAndNotAnsweredWrongly) {
  Create();
  SearchRequest search{.collection = "books", .field = "mood"};
  search.vectors = {Vector::Floats(std::vector<float>{3, 4})};
  const auto mood = mapped_->Search({}, search);
  ASSERT_EQ(mood.code(), Code::kUnimplemented);
  EXPECT_THAT(mood.error().message, HasSubstr("\"mood\""));
  search.field = "cover";
  EXPECT_THAT(mapped_->Search({}, search)->hits, ElementsAre(SizeIs(1)));
  for (const char* field : {"", "title"}) {
    SearchRequest words{.collection = "books", .field = field, .texts = {"emma"}};
    EXPECT_EQ(mapped_->Search({}, words).code(), Code::kUnimplemented) << field;
  }
  const auto filter = ParseFilter("more[0] == 1", Books());
  ASSERT_TRUE(filter.ok());
  EXPECT_EQ(mapped_->Count({}, {.collection = "books", .filter = *filter}).code(),
            Code::kUnimplemented);
  const auto title = ParseFilter("title == \"Emma\"", Books());
  EXPECT_EQ(mapped_->Count({}, {.collection = "books", .filter = *title}).value(), 1u);
}

TEST_F(MappedStoreTest, ItOutlivesTheProcessAndEndsWithTheCollection) {
  Create();
  Open();
  EXPECT_EQ(mapped_->DescribeCollection({}, "books")->schema.fields, Books().fields);
  ASSERT_TRUE(mapped_->DropCollection({}, {.collection = "books"}).ok());
  EXPECT_EQ(table_->Find("fake", "books"), nullptr);
  Open();
  EXPECT_EQ(table_->Find("fake", "books"), nullptr);
}

TEST_F(MappedStoreTest, AnotherCollectionOfThatNameIsNotKeptByTheOldMapping) {
  Create();
  ASSERT_TRUE(fake_->DropCollection({}, {.collection = "books"}).ok());  // behind our back
  CollectionSchema other = Books();
  other.fields.resize(1);
  ASSERT_TRUE(mapped_->CreateCollection({}, {.schema = other}).ok());
  EXPECT_EQ(fake_->DescribeCollection({}, "books")->schema.fields, other.fields);
  EXPECT_EQ(table_->Find("fake", "books"), nullptr);
}

}  // namespace
}  // namespace roost
