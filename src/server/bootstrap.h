#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/result.h"
#include "store/preparation.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

/// Prepares stores for a collection, straight at the stores: looks at each first, so that nothing
/// is made anywhere when something is in the way anywhere. Not thread safe.
class Bootstrap {
 public:
  struct Options {
    std::chrono::nanoseconds step_timeout{std::chrono::seconds(60)};  ///< of each look and making
    /// Nothing more is made once this is true (the user interrupts).
    bool (*give_up)() = [] { return false; };
  };
  explicit Bootstrap(Options options);
  ~Bootstrap();

  /// Connects to the store at an address of BootstrapSettings and compares what it has with what is
  /// wanted; changes nothing in it. (An embedded store that is there is opened for that, which
  /// tidies its files as every start does.) Errors are the store's own, and kInvalidArgument or
  /// kUnimplemented where it can hold no such collection.
  Status Look(const std::string& address, const PreparationRequest& request);

  /// Makes what is missing, in order, and stops at what cannot be made; steps that were made before
  /// it stay. Precondition: no step is kDifferent.
  Status Make();

  const std::vector<PreparedStore>& stores() const { return stores_; }
  size_t Count(StepState state) const;
  /// The last failure of Look() was that nobody answered.
  bool unreachable() const { return unreachable_; }

 private:
  using StorePtr = std::shared_ptr<VectorStore>;

  RequestContext Context() const;
  Result<StorePtr> Open(const std::string& address);
  Result<std::vector<PreparationStep>> LookBefore(const std::string& address) const;
  Result<PreparationStep> LookAtCollection(VectorStore& store, const CollectionSchema& schema);

  const Options options_;
  SystemClock clock_;
  std::unique_ptr<FileSystem> file_system_;
  std::unique_ptr<Metrics> metrics_;
  std::vector<StorePtr> opened_;
  std::vector<PreparedStore> stores_;
  bool unreachable_ = false;
};

}  // namespace roost
