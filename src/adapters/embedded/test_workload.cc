#include "adapters/embedded/test_workload.h"

#include <utility>

#include "store/filter.h"

namespace roost::embedded {

namespace {

constexpr char kThings[] = "things";
constexpr char kOther[] = "other";

std::vector<Record> Rows(int from, int to, uint64_t seed) {
  std::vector<Record> records;
  for (int i = from; i < to; ++i) {
    records.push_back(TestRecord("k" + std::to_string(i), seed));
  }
  return records;
}

Step CreateStep(const std::string& name) {
  return {.name = "create " + name,
          .run = [name](EmbeddedStore& store) { return Create(store, TestSchema(name)); },
          .apply = [name](Model& model) { model[name]; }};
}

Step DropStep(const std::string& name) {
  return {
      .name = "drop " + name,
      .run =
          [name](EmbeddedStore& store) { return store.DropCollection({}, {.collection = name}); },
      .apply = [name](Model& model) { model.erase(name); }};
}

Step PutStep(const std::string& name, int from, int to, uint64_t seed) {
  return {.name = "put " + std::to_string(seed),
          .run = [=](EmbeddedStore& store) { return Put(store, name, Rows(from, to, seed)); },
          .apply =
              [=](Model& model) {
                for (const Record& record : Rows(from, to, seed)) {
                  model[name].insert_or_assign(record.key, record);
                }
              }};
}

/// Rows that exist are left alone.
Step InsertStep(const std::string& name, int from, int to, uint64_t seed) {
  return {.name = "insert " + std::to_string(seed),
          .run = [=](EmbeddedStore& store) -> Status {
            TRY(store.Insert({}, {.collection = name, .records = Rows(from, to, seed)}));
            return {};
          },
          .apply =
              [=](Model& model) {
                for (const Record& record : Rows(from, to, seed)) {
                  model[name].emplace(record.key, record);
                }
              }};
}

Step EraseStep(const std::string& name, std::vector<int> numbers) {
  std::vector<RecordKey> keys;
  for (const int number : numbers) {
    keys.push_back(KeyOf("k" + std::to_string(number)));
  }
  return {.name = "erase",
          .run = [name, keys](EmbeddedStore& store) { return Erase(store, name, keys); },
          .apply =
              [name, keys](Model& model) {
                for (const RecordKey& key : keys) {
                  model[name].erase(key);
                }
              }};
}

/// A step that changes files, not records.
Step FilesStep(const std::string& name, std::function<Status(EmbeddedStore&)> run) {
  return {.name = name, .run = std::move(run), .apply = [](Model&) {}};
}

Step IdleStep() {
  return FilesStep("wait idle", [](EmbeddedStore& store) { return store.WaitIdle({}); });
}

std::vector<Step> BeforeSnapshot() {
  return {CreateStep(kThings),
          CreateStep(kOther),
          PutStep(kThings, 0, 10, 1),
          PutStep(kThings, 5, 14, 2),
          EraseStep(kThings, {1, 12}),
          IdleStep(),
          PutStep(kOther, 0, 5, 3),
          PutStep(kThings, 3, 18, 4),
          EraseStep(kThings, {0, 4, 17, 99}),
          IdleStep(),
          InsertStep(kThings, 0, 30, 5),
          IdleStep(),
          EraseStep(kThings, {2, 20}),
          PutStep(kThings, 28, 33, 6)};
}

}  // namespace

std::vector<Step> ScriptedWorkload() {
  std::vector<Step> steps = BeforeSnapshot();
  steps.push_back(FilesStep(
      "snapshot", [](EmbeddedStore& store) { return store.Snapshot({}, kSnapshotFolder); }));
  steps.push_back(DropStep(kOther));
  steps.push_back(CreateStep(kOther));
  steps.push_back(PutStep(kOther, 2, 4, 7));
  steps.push_back(
      FilesStep("compact", [](EmbeddedStore& store) { return store.Compact({}, kThings); }));
  steps.push_back(PutStep(kThings, 30, 36, 8));
  steps.push_back(EraseStep(kThings, {5, 6, 35}));
  // Full: flushed, with the deletes of the older segment.
  steps.push_back(PutStep(kThings, 40, 50, 9));
  steps.push_back(IdleStep());
  steps.push_back(PutStep(kThings, 45, 48, 10));
  steps.push_back(EraseStep(kOther, {2}));
  return steps;
}

Model SnapshotModel() {
  Model model;
  for (const Step& step : BeforeSnapshot()) {
    step.apply(model);
  }
  return model;
}

Model ReadModel(EmbeddedStore& store) {
  Model model;
  const auto names = store.ListCollections({});
  EXPECT_TRUE(names.ok());
  for (const std::string& name : names.ok() ? names.value() : std::vector<std::string>()) {
    model[name] = ReadAllRecords(store, name);
  }
  return model;
}

testing::AssertionResult SameModel(const Model& actual, const Model& expected) {
  for (const auto& [name, records] : expected) {
    const auto found = actual.find(name);
    if (found == actual.end()) {
      return testing::AssertionFailure() << "lost collection " << name;
    }
    if (auto same = SameRecords(found->second, records); !same) {
      return same << " in " << name;
    }
  }
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << "a collection too many";
  }
  return testing::AssertionSuccess();
}

}  // namespace roost::embedded
