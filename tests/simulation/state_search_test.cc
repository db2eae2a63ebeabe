#include "state_search.h"

#include <gtest/gtest.h>

namespace roost::simulation {
namespace {

/// A token walks over the numbers 0 to 9; the steps are what the test says.
struct Walk {
  struct State {
    uint32_t at;
  };
  struct Way {
    uint32_t from, to;
    bool progress;
  };
  std::vector<Way> ways;
  uint32_t wrong = ~uint32_t{0};

  State Initial() const { return {0}; }
  template <typename Emit>
  void Steps(const State& state, Emit&& emit) const {
    for (const Way& way : ways) {
      if (way.from == state.at) {
        emit(State{way.to}, static_cast<int>(way.to), way.progress);
      }
    }
  }
  std::string Violation(const State& state, bool) const { return state.at == wrong ? "wrong" : ""; }
  std::string StepName(int id) const { return "to " + std::to_string(id); }
};

TEST(StateSearch, VisitsEachStateOnceAndFindsTheEnds) {
  Walk walk{.ways = {{0, 1, true}, {0, 2, true}, {1, 3, true}, {2, 3, true}, {3, 0, false}}};
  const SearchResult result = StateSearch<Walk>(walk).Run();
  EXPECT_EQ(result.states, 4u);
  EXPECT_EQ(result.ends, 1u);
  EXPECT_EQ(result.violation, "");
}

TEST(StateSearch, GivesTheShortestWayToAViolation) {
  Walk walk{.ways = {{0, 1, true}, {1, 2, true}, {2, 3, true}, {0, 4, true}, {4, 3, true}},
            .wrong = 3};
  const SearchResult result = StateSearch<Walk>(walk).Run();
  EXPECT_EQ(result.violation, "wrong");
  EXPECT_EQ(result.trace, (std::vector<std::string>{"to 4", "to 3"}));
}

TEST(StateSearch, ACircleWithoutAWayOutIsATrap) {
  Walk walk{.ways = {{0, 1, true}, {0, 2, true}, {2, 3, true}, {3, 2, true}}};
  const SearchResult result = StateSearch<Walk>(walk).Run();
  EXPECT_NE(result.violation.find("trap"), std::string::npos);
  EXPECT_EQ(result.trace, (std::vector<std::string>{"to 2"}));
}

TEST(StateSearch, SaysThatItDidNotSeeEverything) {
  Walk walk{.ways = {{0, 1, true}, {1, 2, true}, {2, 3, true}, {3, 4, true}}};
  EXPECT_TRUE(StateSearch<Walk>(walk, 2).Run().truncated);
  EXPECT_FALSE(StateSearch<Walk>(walk, 10).Run().truncated);
}

}  // namespace
}  // namespace roost::simulation
