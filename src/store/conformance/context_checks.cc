#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

/// Every call with a context that is over: the code, and nothing changed.
void ExpectRefused(Trial& trial, const RequestContext& over, Code expected) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  const auto old = PlainRecord(StringKey("old"));
  trial.Upsert(schema.name, {old});
  auto& store = trial.store();
  const std::string& name = schema.name;
  const auto fresh = PlainRecord(StringKey("new"));
  const auto changed = PlainRecord(StringKey("old"), {9, 9, 9, 9});
  EXPECT_EQ(store.Insert(over, {.collection = name, .records = {fresh}}).code(), expected);
  EXPECT_EQ(store.Upsert(over, {.collection = name, .records = {fresh, changed}}).code(), expected);
  EXPECT_EQ(store.Delete(over, {.collection = name, .keys = {old.key}}).code(), expected);
  EXPECT_EQ(store.Get(over, {.collection = name, .keys = {old.key}}).code(), expected);
  EXPECT_EQ(store.Query(over, {.collection = name}).code(), expected);
  EXPECT_EQ(store.Search(over, {.collection = name, .vectors = {FloatVector({1, 2, 3, 4})}}).code(),
            expected);
  EXPECT_EQ(store.Scan(over, {.collection = name}).code(), expected);
  EXPECT_EQ(store.Count(over, {.collection = name}).code(), expected);
  EXPECT_EQ(store.DropCollection(over, {.collection = name}).code(), expected);
  EXPECT_EQ(store.CreateCollection(over, {.schema = trial.Plain("New")}).code(), expected);
  const auto all = trial.ScanAll(name);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_TRUE(SameRecord(all[0], old)) << Show(all[0]);
  EXPECT_EQ(store.DescribeCollection(Trial::Context(), trial.Name("New")).code(), Code::kNotFound);
}

void PassedDeadline(Trial& trial) {
  auto over = Trial::Context();
  over.deadline = Deadline::After(std::chrono::nanoseconds(-1));
  ExpectRefused(trial, over, Code::kDeadlineExceeded);
}

void CancelledRequest(Trial& trial) {
  std::stop_source stop;
  stop.request_stop();
  auto over = Trial::Context();
  over.stop = stop.get_token();
  ExpectRefused(trial, over, Code::kCancelled);
}

}  // namespace

Checks ContextChecks() {
  return {{"PassedDeadline", PassedDeadline}, {"CancelledRequest", CancelledRequest}};
}

}  // namespace roost::conformance
