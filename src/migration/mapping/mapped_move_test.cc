// Moves to a store that keeps the collection by a mapping.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/move_trial.h"
#include "store/fake_store.h"

namespace roost {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// As MoveTrial's collection, with a vector that the target cannot keep.
CollectionSchema Schema() {
  CollectionSchema schema = MoveTrial::Schema();
  schema.dynamic = false;
  schema.vectors.push_back({.name = "words",
                            .type = DataType::kSparseVector,
                            .dimension = 0,
                            .metric = Metric::kInnerProduct});
  return schema;
}

Record MakeRecord(int64_t number, int64_t version) {
  Record record = MoveTrial::MakeRecord(number, version);
  record.dynamic.clear();
  record.vectors["words"] = {.type = DataType::kSparseVector,
                             .bytes = std::string("\x07\0\0\0\0\0\x80\x3e", 8)};
  return record;
}

class MappedMoveTest : public ::testing::Test {
 protected:
  static std::unique_ptr<VectorStore> MakeTarget() {
    Capabilities weak = MoveTrial::MakeStore()->capabilities();
    weak.types.erase(DataType::kSparseVector);
    return MakeFakeStore(weak);
  }
  static MigrationSpec Spec() {
    MigrationSpec spec = MoveTrial::QuickSpec();
    SchemaMapping mapping{.schema = Schema(), .source_name = {{"label", "text"}}};
    mapping.schema.fields[1].name = "label";
    mapping.schema.fields.push_back({.name = "words", .type = DataType::kVarChar});
    mapping.schema.vectors.resize(1);
    mapping.schema.vectors[0].index = "FLAT";
    spec.mapping = mapping;
    return spec;
  }

  void Fill() {
    ASSERT_TRUE(trial_.routed().CreateCollection({}, {.schema = Schema()}).ok());
    for (int64_t number = 0; number < 300; ++number) {
      Write(number);
    }
  }
  void Write(int64_t number) {
    Record record = MakeRecord(number, ++versions_[number]);
    const auto written = trial_.routed().Upsert(
        {}, {.collection = MoveTrial::kCollection, .records = {std::move(record)}});
    ASSERT_TRUE(written.ok() && written->errors.empty());
  }
  void Delete(int64_t number) {
    RecordKey key{.key = MoveTrial::KeyOf(number)};
    ASSERT_TRUE(trial_.routed()
                    .Delete({}, {.collection = MoveTrial::kCollection, .keys = {std::move(key)}})
                    .ok());
    versions_.erase(number);
  }
  /// A view of a store must hold exactly what was written.
  void ExpectAll(VectorStore& store) {
    const auto found = MoveTrial::ReadAll(store);
    EXPECT_EQ(found.size(), versions_.size());
    for (const auto& [number, version] : versions_) {
      const auto record = found.find(MoveTrial::KeyOf(number));
      ASSERT_NE(record, found.end()) << number;
      EXPECT_TRUE(SameRecord(record->second, MakeRecord(number, version))) << number;
    }
  }

  const std::unique_ptr<VectorStore> a_ = MoveTrial::MakeStore();
  const std::unique_ptr<VectorStore> b_ = MakeTarget();
  MoveTrial trial_{*a_, *b_};
  std::map<int64_t, int64_t> versions_;
};

TEST_F(MappedMoveTest, ThePlanShowsAMappingWhereTheSchemaAsItIsCannotBeKept) {
  Fill();
  const auto plan = trial_.service().Plan({}, MoveTrial::QuickSpec());
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->refusals.size(), 1u);
  EXPECT_THAT(plan->refusals[0], HasSubstr("the plan's mapping shows how it can"));
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.mapping = plan->mapping;
  const auto again = trial_.service().Plan({}, spec);
  ASSERT_TRUE(again.ok());
  EXPECT_THAT(again->refusals, IsEmpty());
  EXPECT_TRUE(again->mapping == plan->mapping);
}

TEST_F(MappedMoveTest, AMappingThatDoesNotFitIsARefusal) {
  Fill();
  MigrationSpec spec = Spec();
  spec.mapping->source_name.clear();
  const auto created = trial_.service().Create({}, spec);
  ASSERT_EQ(created.code(), Code::kFailedPrecondition);
  EXPECT_THAT(created.error().message, HasSubstr("\"label\""));
  EXPECT_EQ(b_->DescribeCollection({}, MoveTrial::kCollection).code(), Code::kNotFound);
}

TEST_F(MappedMoveTest, ThereAndBackWithCrashesLosesNothing) {
  Fill();
  const std::string id = trial_.Create(Spec());
  trial_.Await(id, MigrationState::kVerify);
  const auto stored = b_->DescribeCollection({}, MoveTrial::kCollection);
  ASSERT_TRUE(stored.ok());
  EXPECT_NE(stored->schema.FindField("label"), nullptr);
  EXPECT_EQ(stored->schema.vectors.size(), 1u);
  trial_.Crash();
  for (int64_t number = 0; number < 50; ++number) {
    Write(number);
  }
  Delete(60);
  trial_.Advance(id, MigrationState::kReversed);
  trial_.Await(id, MigrationState::kReversed);
  trial_.Crash();
  for (int64_t number = 40; number < 90; ++number) {
    Write(number);
  }
  Delete(100);
  trial_.AwaitLevel(id);
  ExpectAll(trial_.b());
  ExpectAll(trial_.a());
  // The authority is the target now: users' names and types go on.
  const auto filter = ParseFilter("text == \"text 299\"", Schema());
  const auto count =
      trial_.routed().Count({}, {.collection = MoveTrial::kCollection, .filter = *filter});
  EXPECT_EQ(count.value(), 1u);
  trial_.Command(id, MigrationCommand::kRollback);
  trial_.AwaitThat(id, "the source answers", [](const MigrationStatus& status) {
    return status.progress.state == MigrationState::kRamp ||
           status.progress.state == MigrationState::kVerify;
  });
  ExpectAll(trial_.a());
}

TEST_F(MappedMoveTest, AfterACommitTheCollectionStaysMappedAndMovesOnFromThere) {
  Fill();
  MigrationSpec spec = Spec();
  spec.automatic = true;
  const std::string id = trial_.Create(spec);
  trial_.Await(id, MigrationState::kReversed);
  trial_.Command(id, MigrationCommand::kCommit);
  trial_.Await(id, MigrationState::kCommitted);
  trial_.Crash();
  Write(5);
  ExpectAll(trial_.b());
  ASSERT_TRUE(a_->DropCollection({}, {.collection = MoveTrial::kCollection}).ok());
  MigrationSpec back = MoveTrial::QuickSpec();
  back.target = "a";
  back.automatic = true;
  const std::string second = trial_.Create(back);
  trial_.Await(second, MigrationState::kReversed);
  ExpectAll(*a_);
}

TEST_F(MappedMoveTest, AnAbortedMoveLeavesNoMapping) {
  Fill();
  const std::string id = trial_.Create(Spec());
  trial_.Await(id, MigrationState::kVerify);
  trial_.Command(id, MigrationCommand::kAbort);
  trial_.Await(id, MigrationState::kAborted);
  trial_.AwaitThat(id, "a clean target", [&](const MigrationStatus&) {
    return b_->DescribeCollection({}, MoveTrial::kCollection).code() == Code::kNotFound;
  });
  EXPECT_THAT(trial_.control().ListMappings().value(), IsEmpty());
}

}  // namespace
}  // namespace roost
