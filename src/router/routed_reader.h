#pragma once

#include <chrono>
#include <string>
#include <type_traits>

#include "router/route_table.h"
#include "router/store_set.h"
#include "telemetry/metrics.h"

namespace roost {

struct ReadOptions {
  std::chrono::milliseconds other_timeout{2'000};  ///< then the authority is asked
  int max_repeats = 8;                             ///< of reads that a change of route overtook
};

/// Lets the store answer that the route names. Thread safe.
///
/// Reads are leased: an answer that a change of route overtook, so that its store would not be
/// asked any more, is thrown away. Otherwise a slow answer of the former authority could show a
/// client a state older than it has seen. So is one that outlived the guard of the routes.
class RoutedReader {
 public:
  RoutedReader(ReadOptions options, const StoreSet& stores, RouteTable& routes, Metrics& metrics);

  /// How a read was answered.
  struct Trace {
    std::shared_ptr<const Route> route;
    bool by_other = false;
    double seconds = 0;
  };

  /// `call(store, context)` returns a Result. `trace` may be null.
  template <typename Call>
  auto Read(const RequestContext& context, const std::string& collection, std::string_view tenant,
            Trace* trace, const Call& call)
      -> std::invoke_result_t<Call, VectorStore&, const RequestContext&> {
    return Leased(context, collection, SessionSlot(tenant, context.principal), trace, call);
  }

  /// The same, but only the authority answers: for reads that must be complete.
  template <typename Call>
  auto ReadAuthority(const RequestContext& context, const std::string& collection, const Call& call)
      -> std::invoke_result_t<Call, VectorStore&, const RequestContext&> {
    return Leased(context, collection, kNoSlot, nullptr, call);
  }

 private:
  static constexpr uint32_t kNoSlot = ~uint32_t{0};  ///< beyond every share

  template <typename Call>
  auto Leased(const RequestContext& context, const std::string& collection, uint32_t slot,
              Trace* trace, const Call& call)
      -> std::invoke_result_t<Call, VectorStore&, const RequestContext&> {
    for (int repeat = 0; repeat <= options_.max_repeats; ++repeat) {
      TRY(routes_.CheckGuard());
      const std::shared_ptr<const Route> route = routes_.Find(collection);
      const auto started = std::chrono::steady_clock::now();
      bool by_other = OtherMayAnswer(*route, slot);
      auto result = by_other ? call(stores_.At(route->other), ForOther(context))
                             : call(stores_.At(route->authority), context);
      if (by_other && !result.ok() && context.CheckAlive("reading").ok()) {
        fallbacks_.Increment();
        by_other = false;
        result = call(stores_.At(route->authority), context);
      }
      if (StillRight(*route, by_other, slot)) {
        TRY(routes_.CheckGuard());
        if (trace != nullptr) {
          const auto passed = std::chrono::steady_clock::now() - started;
          *trace = {route, by_other, std::chrono::duration<double>(passed).count()};
        }
        return result;
      }
      repeats_.Increment();
    }
    return Unavailable("the route of collection \"" + collection +
                       "\" changes faster than the read ends; try again");
  }

  bool OtherMayAnswer(const Route& route, uint32_t slot) const;
  RequestContext ForOther(const RequestContext& context) const;
  /// After the read: whether its store would be asked by the route now in force, too.
  bool StillRight(const Route& route, bool by_other, uint32_t slot) const;

  const ReadOptions options_;
  const StoreSet& stores_;
  RouteTable& routes_;
  Counter& fallbacks_;
  Counter& repeats_;
};

}  // namespace roost
