#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/result.h"

namespace roost::simulation {

/// What a search over all interleavings found.
struct SearchResult {
  uint64_t states = 0;
  uint64_t ends = 0;               ///< states without a step that makes progress
  std::string violation;           ///< empty: none
  std::vector<std::string> trace;  ///< the shortest way to the violation
  bool truncated = false;          ///< `max_states` was reached: nothing is proven
};

/// Breadth-first search over all states of `Model`, each visited once. A model has
///   State                           trivially copyable, without padding; equal bytes, equal state
///   State Initial()
///   void Steps(const State&, emit)  emit(next, text id, progress): `progress` false for faults and
///                                   other steps that need not happen
///   std::string Violation(const State&, bool end)
///   std::string StepName(int id)
/// An end is a state without a step that makes progress. The search also proves that from every
/// state an end can be reached, so that no state is a trap that only repeats itself.
template <typename Model>
class StateSearch {
 public:
  using State = typename Model::State;
  static_assert(std::is_trivially_copyable_v<State>);
  static_assert(std::has_unique_object_representations_v<State>, "padding would split states");

  explicit StateSearch(Model& model, uint64_t max_states = 20'000'000)
      : model_(model), max_states_(max_states), slots_(1 << 16, kFree) {}

  SearchResult Run() {
    Add(model_.Initial(), kFree, 0);
    for (uint32_t at = 0; at < states_.size() && result_.violation.empty(); ++at) {
      if (states_.size() > max_states_) {
        result_.truncated = true;
        break;
      }
      Expand(at);
    }
    result_.states = states_.size();
    if (result_.violation.empty() && !result_.truncated) {
      CheckEndsAreReachable();
    }
    return std::move(result_);
  }

 private:
  static constexpr uint32_t kFree = ~uint32_t{0};

  struct Origin {
    uint32_t parent;
    int step;
  };

  void Expand(uint32_t at) {
    const State state = states_[at];  // A copy: Add may move the vector.
    bool progress = false;
    model_.Steps(state, [&](const State& next, int step, bool forward) {
      progress = progress || forward;
      edges_.push_back({at, Add(next, at, step)});
    });
    if (!progress) {
      ++result_.ends;
      ends_.push_back(at);
    }
    result_.violation = model_.Violation(state, !progress);
    if (!result_.violation.empty()) {
      Trace(at);
    }
  }

  uint32_t Add(const State& state, uint32_t parent, int step) {
    if (2 * (states_.size() + 1) > slots_.size()) {
      Grow();
    }
    size_t slot = Hash(state) & (slots_.size() - 1);
    while (slots_[slot] != kFree) {
      if (std::memcmp(&states_[slots_[slot]], &state, sizeof(State)) == 0) {
        return slots_[slot];
      }
      slot = (slot + 1) & (slots_.size() - 1);
    }
    const auto index = static_cast<uint32_t>(states_.size());
    slots_[slot] = index;
    states_.push_back(state);
    origins_.push_back({parent, step});
    return index;
  }

  void Grow() {
    std::vector<uint32_t> bigger(slots_.size() * 2, kFree);
    for (uint32_t index = 0; index < states_.size(); ++index) {
      size_t slot = Hash(states_[index]) & (bigger.size() - 1);
      while (bigger[slot] != kFree) {
        slot = (slot + 1) & (bigger.size() - 1);
      }
      bigger[slot] = index;
    }
    slots_ = std::move(bigger);
  }

  static uint64_t Hash(const State& state) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&state);
    uint64_t hash = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < sizeof(State); i += 8) {
      uint64_t word = 0;
      std::memcpy(&word, bytes + i, std::min<size_t>(8, sizeof(State) - i));
      hash = (hash ^ word) * 0xbf58476d1ce4e5b9;
      hash ^= hash >> 29;
    }
    return hash;
  }

  void Trace(uint32_t at) {
    std::vector<std::string> backwards;
    for (; origins_[at].parent != kFree; at = origins_[at].parent) {
      backwards.push_back(model_.StepName(origins_[at].step));
    }
    result_.trace.assign(backwards.rbegin(), backwards.rend());
  }

  /// Walks the steps backwards from all ends; a state that is not met is a trap.
  void CheckEndsAreReachable() {
    std::vector<uint32_t> first(states_.size() + 1, 0);
    for (const Edge& edge : edges_) {
      ++first[edge.to + 1];
    }
    for (size_t i = 1; i < first.size(); ++i) {
      first[i] += first[i - 1];
    }
    std::vector<uint32_t> sources(edges_.size());
    std::vector<uint32_t> fill(first.begin(), first.end() - 1);
    for (const Edge& edge : edges_) {
      sources[fill[edge.to]++] = edge.from;
    }
    std::vector<bool> met(states_.size(), false);
    std::vector<uint32_t> open = ends_;
    for (const uint32_t end : ends_) {
      met[end] = true;
    }
    while (!open.empty()) {
      const uint32_t at = open.back();
      open.pop_back();
      for (uint32_t i = first[at]; i < first[at + 1]; ++i) {
        if (!met[sources[i]]) {
          met[sources[i]] = true;
          open.push_back(sources[i]);
        }
      }
    }
    for (uint32_t at = 0; at < states_.size(); ++at) {
      if (!met[at]) {
        result_.violation = "trap: no end can be reached any more";
        Trace(at);
        return;
      }
    }
  }

  struct Edge {
    uint32_t from;
    uint32_t to;
  };

  Model& model_;
  const uint64_t max_states_;
  std::vector<State> states_;
  std::vector<Origin> origins_;
  std::vector<Edge> edges_;
  std::vector<uint32_t> ends_;
  std::vector<uint32_t> slots_;
  SearchResult result_;
};

}  // namespace roost::simulation
