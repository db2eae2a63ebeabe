#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "migration/cut_control.h"
#include "migration/service.h"

namespace roost {

/// A gateway's inside around two stores, for tests: router, SQLite control store in a folder of its
/// own, moves. The stores "a" (the default one) and "b" outlive it.
class MoveTrial {
 public:
  static constexpr const char* kCollection = "things";

  MoveTrial(VectorStore& a, VectorStore& b, MigrationServiceOptions options = Quick());
  ~MoveTrial();

  /// Short waits everywhere.
  static MigrationServiceOptions Quick();
  static MigrationSpec QuickSpec();
  static CollectionSchema Schema();
  static std::string KeyOf(int64_t number);
  /// What version `version` of a record is; every version has another vector.
  static Record MakeRecord(int64_t number, int64_t version);
  static int64_t VersionOf(const Record& record);

  RoutedStore& routed() { return *routed_; }
  MigrationService& service() { return *service_; }
  CutControl& control() { return *control_; }
  RouteTable& routes() { return *routes_; }
  /// The stores as their users see them.
  VectorStore& a() { return *mapped_a_; }
  VectorStore& b() { return *mapped_b_; }

  /// Creates the move; the test fails when that fails. Returns its id.
  std::string Create(const MigrationSpec& spec);
  void Advance(const std::string& id, std::optional<MigrationState> to = std::nullopt);
  void Command(const std::string& id, MigrationCommand command);
  MigrationStatus Get(const std::string& id);
  /// Waits (at most 60 s) until the move is as wanted; the test fails when it does not get there.
  MigrationStatus Await(const std::string& id, MigrationState state);
  MigrationStatus AwaitThat(const std::string& id, const std::string& what,
                            const std::function<bool(const MigrationStatus&)>& wanted);
  /// Nothing dirty, nothing in flight.
  MigrationStatus AwaitLevel(const std::string& id);

  /// A process that dies: nothing becomes durable from here on. Then all is opened anew, and the
  /// moves go on. Requests of other threads (Use) end first. `arm` may set the next cut.
  void Crash(const std::function<void(CutControl&)>& arm = {});
  /// Waits until the control store is cut; the test fails when that does not happen.
  void AwaitCut();
  /// A store in memory whose late writes land soon, so that recovery is quick.
  static std::unique_ptr<VectorStore> MakeStore(bool fenced = true);
  /// Runs `call` while no crash happens; a crash stops its context.
  template <typename Call>
  auto Use(const Call& call) {
    std::shared_lock lock(world_);
    RequestContext context{.principal = "trial", .stop = requests_.get_token()};
    return call(context.WithTimeout(std::chrono::seconds(20)));
  }

  /// Every record of a store.
  static std::map<std::string, Record> ReadAll(VectorStore& store);

 private:
  void Open(const std::function<void(CutControl&)>& arm = {});
  void Close();

  VectorStore& a_;
  VectorStore& b_;
  const MigrationServiceOptions options_;
  std::string folder_;
  SystemClock clock_;
  SeededRandom random_{7};
  std::shared_mutex world_;
  std::stop_source requests_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<CutControl> control_;
  std::unique_ptr<MappingTable> mappings_;
  std::unique_ptr<VectorStore> mapped_a_;
  std::unique_ptr<VectorStore> mapped_b_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<RoutedStore> routed_;
  std::unique_ptr<ReplicaCoordinator> coordinator_;
  std::unique_ptr<MigrationService> service_;
};

/// Writers and readers that keep an account of their own of what the collection must hold.
class Traffic {
 public:
  struct Options {
    size_t writers = 3;
    size_t readers = 1;
    int64_t keys = 400;
    std::chrono::milliseconds pause{0};  ///< of a writer between two writes
  };

  Traffic(MoveTrial& trial, Options options);
  ~Traffic();

  /// Writes the records 0 to `count` - 1. Before Start.
  void Fill(int64_t count);
  void Start();
  void Stop();

  uint64_t writes() const { return writes_; }
  uint64_t reads() const { return reads_; }
  /// What clients were told when a write or read failed.
  std::vector<std::string> errors() const;
  /// Reads that showed less than what was acknowledged before they began, or what was never
  /// written.
  std::vector<std::string> bad_reads() const;
  double longest_write_ms() const { return longest_ms_; }
  void ResetLongest() { longest_ms_ = 0; }
  /// Compares with the account: a line for each record lost, resurrected or wrong.
  std::vector<std::string> Judge(const std::map<std::string, Record>& found) const;

 private:
  /// One key's history. Version n is the n-th write; only one writer writes it.
  struct Account {
    std::vector<bool> present{
        false};                ///< by version: a record, or deleted; version 0: never written
    int64_t acknowledged = 0;  ///< the newest version that was
  };

  void Write(size_t writer, const std::stop_token& stop);
  void WriteOne(int64_t number, bool remove);
  void Read(size_t reader, const std::stop_token& stop);
  /// Empty: the answer is right.
  std::string CheckRead(int64_t number, int64_t acknowledged,
                        const std::optional<Record>& record) const;

  MoveTrial& trial_;
  const Options options_;
  std::atomic<uint64_t> writes_{0};
  std::atomic<uint64_t> reads_{0};
  std::atomic<double> longest_ms_{0};
  mutable std::mutex mutex_;
  std::vector<Account> accounts_;
  std::vector<std::string> errors_;
  std::vector<std::string> bad_reads_;
  std::vector<std::jthread> threads_;  ///< last: they use everything above
};

}  // namespace roost
