#include "migration/move_trial.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "migration/mapping/mapped_store.h"
#include "store/fake_store.h"
#include "telemetry/metrics.h"

namespace roost {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kHorizon{60};
constexpr uint32_t kDimension = 8;

}  // namespace

MoveTrial::MoveTrial(VectorStore& a, VectorStore& b, MigrationServiceOptions options)
    : a_(a), b_(b), options_(options) {
  static std::atomic<int> counter{0};
  folder_ = ::testing::TempDir() + "/move." + std::to_string(::getpid()) + "." +
            std::to_string(counter++);
  std::filesystem::create_directories(folder_);
  Open();
}

MoveTrial::~MoveTrial() {
  Close();
  std::filesystem::remove_all(folder_);
}

MigrationServiceOptions MoveTrial::Quick() {
  using std::chrono::milliseconds;
  return {.tick = milliseconds(3),
          .fast_tick = milliseconds(1),
          .probe_interval = milliseconds(20),
          .backoff_initial = milliseconds(5),
          .backoff_max = milliseconds(50),
          .recheck_pause = milliseconds(5)};
}

MigrationSpec MoveTrial::QuickSpec() {
  MigrationSpec spec{.collection = kCollection, .target = "b"};
  spec.policy.ramp_percents = {50, 100};
  spec.policy.ramp_hold_ms = 20;
  spec.policy.shadow_hold_ms = 20;
  spec.policy.fence_max_ms =
      5'000;  // The test machine may be slow; tests of the limit set their own.
  spec.policy.fence_retry_ms = 50;
  spec.policy.chunk_rows = 50;
  return spec;
}

CollectionSchema MoveTrial::Schema() {
  CollectionSchema schema;
  schema.name = kCollection;
  schema.key_type = KeyType::kVarChar;
  schema.dynamic = true;
  schema.fields.resize(2);
  schema.fields[0].name = "version";
  schema.fields[0].type = DataType::kInt64;
  schema.fields[1].name = "text";
  schema.fields[1].type = DataType::kVarChar;
  schema.vectors = {{.name = "vector", .dimension = kDimension, .metric = Metric::kL2}};
  return schema;
}

std::string MoveTrial::KeyOf(int64_t number) {
  std::string digits = std::to_string(number);
  return "thing-" + std::string(6 - std::min<size_t>(digits.size(), 6), '0') + digits;
}

Record MoveTrial::MakeRecord(int64_t number, int64_t version) {
  Record record;
  record.key.key = KeyOf(number);
  record.fields["version"] = version;
  record.fields["text"] = "text " + std::to_string(number * version);
  std::vector<float> values(kDimension);
  SeededRandom random(static_cast<uint64_t>(number * 1'000'003 + version));
  for (float& value : values) {
    value = static_cast<float>(random.NextDouble() - 0.5);
  }
  record.vectors["vector"] = Vector::Floats(values);
  record.dynamic = R"({"extra":)" + std::to_string(version % 7) + "}";
  return record;
}

int64_t MoveTrial::VersionOf(const Record& record) {
  const auto found = record.fields.find("version");
  const auto* version =
      found == record.fields.end() ? nullptr : std::get_if<int64_t>(&found->second);
  return version == nullptr ? -1 : *version;
}

void MoveTrial::Open(const std::function<void(CutControl&)>& arm) {
  metrics_ = MakeMetrics();
  auto control = OpenSqliteControlStore({.path = folder_ + "/control.db"}, *metrics_);
  CHECK(control.ok());
  control_ = std::make_unique<CutControl>(*std::move(control));
  if (arm) {
    arm(*control_);
  }
  mappings_ = std::make_unique<MappingTable>(*control_);
  CHECK(mappings_->Load().ok());
  mapped_a_ = MakeMappedStore("a", a_, *mappings_);
  mapped_b_ = MakeMappedStore("b", b_, *mappings_);
  routes_ = std::make_unique<RouteTable>("a");
  const RoutedStoreOptions options{.default_store = "a"};
  const std::vector<NamedStore> stores = {{.name = "a", .store = mapped_a_.get()},
                                          {.name = "b", .store = mapped_b_.get()}};
  routed_ = std::make_unique<RoutedStore>(options, stores, *routes_, *control_, random_, *metrics_);
  CHECK(routed_->LoadRoutes().ok());
  coordinator_ = MakeLocalCoordinator(*routes_);
  auto service = MakeMigrationService(options_, {.routed = *routed_,
                                                 .routes = *routes_,
                                                 .coordinator = *coordinator_,
                                                 .control = *control_,
                                                 .mappings = *mappings_,
                                                 .clock = clock_,
                                                 .random = random_,
                                                 .metrics = *metrics_});
  CHECK(service.ok());
  service_ = *std::move(service);
}

void MoveTrial::Close() {
  service_.reset();
  routed_.reset();
  coordinator_.reset();
  routes_.reset();
  mapped_b_.reset();
  mapped_a_.reset();
  mappings_.reset();
  control_.reset();
  metrics_.reset();
}

void MoveTrial::Crash(const std::function<void(CutControl&)>& arm) {
  control_->Cut();
  requests_.request_stop();
  std::unique_lock lock(world_);
  Close();
  requests_ = std::stop_source();
  Open(arm);
}

void MoveTrial::AwaitCut() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!control_->cut() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(control_->cut()) << "the move did not get that far";
}

std::unique_ptr<VectorStore> MoveTrial::MakeStore(bool fenced) {
  Capabilities capabilities = MakeFakeStore()->capabilities();
  capabilities.fenced_writes = fenced;
  capabilities.zombie_horizon = kHorizon;
  capabilities.write_batch_rows = 20;
  return MakeFakeStore(std::move(capabilities));
}

std::string MoveTrial::Create(const MigrationSpec& spec) {
  const auto created = service_->Create({}, spec);
  EXPECT_TRUE(created.ok()) << created.error().ToString();
  return created.ok() ? created->id : "";
}

void MoveTrial::Advance(const std::string& id, std::optional<MigrationState> to) {
  const auto advanced = service_->Advance({}, id, to);
  EXPECT_TRUE(advanced.ok()) << advanced.error().ToString();
}

void MoveTrial::Command(const std::string& id, MigrationCommand command) {
  const auto commanded = service_->Command({}, id, command);
  EXPECT_TRUE(commanded.ok()) << commanded.error().ToString();
}

MigrationStatus MoveTrial::Get(const std::string& id) {
  auto status = service_->Get({}, id);
  EXPECT_TRUE(status.ok()) << status.error().ToString();
  return status.ok() ? *std::move(status) : MigrationStatus{};
}

MigrationStatus MoveTrial::AwaitThat(const std::string& id, const std::string& what,
                                     const std::function<bool(const MigrationStatus&)>& wanted) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  if (id.empty()) {
    return {};  // Its creation failed; that was reported.
  }
  MigrationStatus status = Get(id);
  while (!wanted(status) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    status = Get(id);
  }
  EXPECT_TRUE(wanted(status)) << "waited for " << what << "; the move is in "
                              << MigrationStateName(status.progress.state) << " and waits for \""
                              << status.waiting_for << "\", last error \"" << status.last_error
                              << "\", dirty " << status.counts.dirty;
  return status;
}

MigrationStatus MoveTrial::Await(const std::string& id, MigrationState state) {
  return AwaitThat(id, std::string(MigrationStateName(state)), [&](const MigrationStatus& status) {
    return status.progress.state == state && (!IsFinal(state) || status.waiting_for.empty());
  });
}

MigrationStatus MoveTrial::AwaitLevel(const std::string& id) {
  return AwaitThat(id, "level stores", [](const MigrationStatus& status) {
    return status.counts.dirty == 0 && status.counts.inflight == 0;
  });
}

std::map<std::string, Record> MoveTrial::ReadAll(VectorStore& store) {
  std::map<std::string, Record> all;
  ScanRequest request{.collection = kCollection};
  while (true) {
    auto page = store.Scan({}, request);
    EXPECT_TRUE(page.ok()) << page.error().ToString();
    if (!page.ok()) {
      return all;
    }
    for (Record& record : page->records) {
      request.after = record.key;
      std::string key = std::get<std::string>(record.key.key);
      EXPECT_TRUE(all.emplace(std::move(key), std::move(record)).second) << "a key twice";
    }
    if (page->done) {
      return all;
    }
  }
}

Traffic::Traffic(MoveTrial& trial, Options options)
    : trial_(trial), options_(options), accounts_(static_cast<size_t>(options.keys)) {}

Traffic::~Traffic() { Stop(); }

void Traffic::Fill(int64_t count) {
  for (int64_t at = 0; at < count;) {
    WriteRequest request{.collection = MoveTrial::kCollection};
    for (; at < count && request.records.size() < 500; ++at) {
      request.records.push_back(MoveTrial::MakeRecord(at, 1));
      accounts_[static_cast<size_t>(at)] = {.present = {false, true}, .acknowledged = 1};
    }
    const auto written = trial_.routed().Upsert({}, request);
    ASSERT_TRUE(written.ok() && written->errors.empty());
  }
}

void Traffic::Start() {
  for (size_t i = 0; i < options_.writers; ++i) {
    threads_.emplace_back([this, i](std::stop_token stop) { Write(i, stop); });
  }
  for (size_t i = 0; i < options_.readers; ++i) {
    threads_.emplace_back([this, i](std::stop_token stop) { Read(i, stop); });
  }
}

void Traffic::Stop() { threads_.clear(); }

void Traffic::Write(size_t writer, const std::stop_token& stop) {
  SeededRandom random(1'000 + writer);
  const auto keys = static_cast<uint64_t>(options_.keys) / options_.writers;
  while (!stop.stop_requested()) {
    const auto number = static_cast<int64_t>(random.Below(keys) * options_.writers + writer);
    WriteOne(number, random.Below(4) == 0);
    std::this_thread::sleep_for(options_.pause);
  }
}

void Traffic::WriteOne(int64_t number, bool remove) {
  trial_.Use([&](const RequestContext& context) {
    int64_t version = 0;
    {
      std::lock_guard lock(mutex_);
      Account& account = accounts_[static_cast<size_t>(number)];
      version = static_cast<int64_t>(account.present.size());
      account.present.push_back(!remove);
    }
    const auto begin = std::chrono::steady_clock::now();
    Status outcome;
    if (remove) {
      RecordKey key{.key = MoveTrial::KeyOf(number)};
      auto done = trial_.routed().Delete(
          context, {.collection = MoveTrial::kCollection, .keys = {std::move(key)}});
      outcome = !done.ok()             ? Status(done.error())
                : done->errors.empty() ? Status()
                                       : Status(done->errors[0].error);
    } else {
      auto done =
          trial_.routed().Upsert(context, {.collection = MoveTrial::kCollection,
                                           .records = {MoveTrial::MakeRecord(number, version)}});
      outcome = !done.ok()             ? Status(done.error())
                : done->errors.empty() ? Status()
                                       : Status(done->errors[0].error);
    }
    const double ms =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    const bool dying = trial_.control().cut() || context.stop.stop_requested();
    std::lock_guard lock(mutex_);
    ++writes_;
    if (outcome.ok()) {
      accounts_[static_cast<size_t>(number)].acknowledged = version;
      longest_ms_ = dying ? longest_ms_.load() : std::max(longest_ms_.load(), ms);
    } else if (!dying) {
      errors_.push_back(outcome.error().ToString());
    }
  });
}

void Traffic::Read(size_t reader, const std::stop_token& stop) {
  SeededRandom random(2'000 + reader);
  while (!stop.stop_requested()) {
    const auto number = static_cast<int64_t>(random.Below(static_cast<uint64_t>(options_.keys)));
    trial_.Use([&](RequestContext context) {
      // Some sessions belong to either store while reads are shared out.
      context.principal = "reader-" + std::to_string(random.Below(32));
      int64_t acknowledged = 0;
      {
        std::lock_guard lock(mutex_);
        acknowledged = accounts_[static_cast<size_t>(number)].acknowledged;
      }
      RecordKey key{.key = MoveTrial::KeyOf(number)};
      const auto got = trial_.routed().Get(
          context, {.collection = MoveTrial::kCollection, .keys = {std::move(key)}});
      const bool dying = trial_.control().cut() || context.stop.stop_requested();
      ++reads_;
      if (dying) {
        return;
      }
      std::lock_guard lock(mutex_);
      if (!got.ok()) {
        errors_.push_back("read: " + got.error().ToString());
        return;
      }
      std::string wrong = CheckRead(number, acknowledged, got->records[0]);
      if (!wrong.empty()) {
        bad_reads_.push_back(std::move(wrong));
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string Traffic::CheckRead(int64_t number, int64_t acknowledged,
                               const std::optional<Record>& record) const {
  const Account& account = accounts_[static_cast<size_t>(number)];
  const auto last = static_cast<int64_t>(account.present.size()) - 1;
  const std::string name = MoveTrial::KeyOf(number);
  if (!record.has_value()) {
    for (int64_t v = acknowledged; v <= last; ++v) {
      if (!account.present[static_cast<size_t>(v)]) {
        return "";
      }
    }
    return name + " lost: version " + std::to_string(acknowledged) + " was acknowledged";
  }
  const int64_t version = MoveTrial::VersionOf(*record);
  if (version < acknowledged || version > last || !account.present[static_cast<size_t>(version)]) {
    return name + (version < acknowledged ? " old or resurrected: " : " invented: ") +
           std::to_string(version) + " of " + std::to_string(acknowledged) + " to " +
           std::to_string(last);
  }
  return SameRecord(*record, MoveTrial::MakeRecord(number, version)) ? "" : name + " is damaged";
}

std::vector<std::string> Traffic::errors() const {
  std::lock_guard lock(mutex_);
  return errors_;
}

std::vector<std::string> Traffic::bad_reads() const {
  std::lock_guard lock(mutex_);
  return bad_reads_;
}

std::vector<std::string> Traffic::Judge(const std::map<std::string, Record>& found) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> wrong;
  size_t known = 0;
  for (size_t number = 0; number < accounts_.size(); ++number) {
    const auto record = found.find(MoveTrial::KeyOf(static_cast<int64_t>(number)));
    known += record != found.end() ? 1 : 0;
    std::string line =
        CheckRead(static_cast<int64_t>(number), accounts_[number].acknowledged,
                  record == found.end() ? std::nullopt : std::optional(record->second));
    if (!line.empty()) {
      wrong.push_back(std::move(line));
    }
  }
  if (known != found.size()) {
    wrong.push_back(std::to_string(found.size() - known) + " records that nobody wrote");
  }
  return wrong;
}

}  // namespace roost
