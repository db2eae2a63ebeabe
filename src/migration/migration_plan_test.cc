#include "migration/migration_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "migration/move_trial.h"
#include "store/fake_store.h"

namespace roost {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MigrationPlanTest : public ::testing::Test {
 protected:
  static Capabilities Weak() {
    Capabilities weak = MakeFakeStore()->capabilities();
    weak.max_dimension = 16;
    weak.types.erase(DataType::kJson);
    return weak;
  }
  void Create(CollectionSchema schema) {
    EXPECT_TRUE(trial_.routed().CreateCollection({}, {.schema = std::move(schema)}).ok());
  }
  /// The refusals of the plan; Create refuses for the same reasons and changes nothing.
  std::vector<std::string> Refusals(const MigrationSpec& spec) {
    const auto plan = trial_.service().Plan({}, spec);
    EXPECT_TRUE(plan.ok());
    if (!plan.ok() || plan->refusals.empty()) {
      return {};
    }
    const auto created = trial_.service().Create({}, spec);
    EXPECT_EQ(created.code(), Code::kFailedPrecondition);
    EXPECT_THAT(created.error().message, HasSubstr(plan->refusals[0]));
    EXPECT_THAT(*trial_.service().List({}), IsEmpty());
    EXPECT_FALSE(trial_.routes().Find(MoveTrial::kCollection)->moving());
    return plan->refusals;
  }

  const std::unique_ptr<VectorStore> a_ = MakeFakeStore();
  const std::unique_ptr<VectorStore> b_ = MakeFakeStore(Weak());
  MoveTrial trial_{*a_, *b_};
};

TEST_F(MigrationPlanTest, APossibleMoveHasStepsAndNoRefusals) {
  Create(MoveTrial::Schema());
  const auto plan = trial_.service().Plan({}, MoveTrial::QuickSpec());
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(plan->refusals, IsEmpty());
  EXPECT_EQ(plan->source, "a");
  EXPECT_EQ(plan->target, "b");
  EXPECT_EQ(plan->steps.size(), 9u);
  EXPECT_EQ(b_->DescribeCollection({}, MoveTrial::kCollection).code(), Code::kNotFound);
}

TEST_F(MigrationPlanTest, ADimensionThatTheTargetCannotHoldIsRefused) {
  CollectionSchema schema = MoveTrial::Schema();
  schema.vectors[0].dimension = 17;
  Create(schema);
  EXPECT_THAT(Refusals(MoveTrial::QuickSpec()), Contains(HasSubstr("the target cannot hold")));
}

TEST_F(MigrationPlanTest, ATypeThatTheTargetDoesNotHaveIsRefused) {
  CollectionSchema schema = MoveTrial::Schema();
  schema.fields[1].type = DataType::kJson;
  Create(schema);
  EXPECT_THAT(Refusals(MoveTrial::QuickSpec()), Contains(HasSubstr("text")));
}

TEST_F(MigrationPlanTest, ACollectionOfThatNameOnTheTargetIsRefusedUnlessAllowed) {
  Create(MoveTrial::Schema());
  EXPECT_TRUE(b_->CreateCollection({}, {.schema = MoveTrial::Schema()}).ok());
  MigrationSpec spec = MoveTrial::QuickSpec();
  EXPECT_THAT(Refusals(spec), Contains(HasSubstr("has a collection")));
  spec.allow_existing_target = true;
  EXPECT_THAT(Refusals(spec), IsEmpty());
}

TEST_F(MigrationPlanTest, AnotherSchemaOnTheTargetIsRefusedEvenIfItMayExist) {
  Create(MoveTrial::Schema());
  CollectionSchema other = MoveTrial::Schema();
  other.vectors[0].dimension = 4;
  EXPECT_TRUE(b_->CreateCollection({}, {.schema = other}).ok());
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.allow_existing_target = true;
  EXPECT_THAT(Refusals(spec),
              Contains(HasSubstr("vector \"vector\": dimension is 4, wanted is 8")));
}

TEST_F(MigrationPlanTest, UnknownStoresAndTheOwnStoreAreRefused) {
  Create(MoveTrial::Schema());
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.target = "nowhere";
  EXPECT_THAT(Refusals(spec), Contains(HasSubstr("no store \"nowhere\"")));
  spec.target = "a";
  EXPECT_THAT(Refusals(spec), Contains(HasSubstr("already")));
}

TEST_F(MigrationPlanTest, APolicyOutOfItsRangeIsAnError) {
  Create(MoveTrial::Schema());
  MigrationSpec spec = MoveTrial::QuickSpec();
  spec.policy.ramp_percents = {50, 10};
  EXPECT_EQ(trial_.service().Plan({}, spec).code(), Code::kInvalidArgument);
  spec = MoveTrial::QuickSpec();
  spec.policy.chunk_rows = 0;
  EXPECT_EQ(trial_.service().Create({}, spec).code(), Code::kInvalidArgument);
}

TEST_F(MigrationPlanTest, AMoveOfACollectionThatIsNotThereIsNotFound) {
  EXPECT_EQ(trial_.service().Plan({}, MoveTrial::QuickSpec()).code(), Code::kNotFound);
}

}  // namespace
}  // namespace roost
