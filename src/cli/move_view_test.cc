#include "cli/move_view.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace roost {
namespace {

namespace bj = boost::json;

bj::value Move(const std::string& state, const std::string& goal, const std::string& more = "") {
  return bj::parse(
      R"({"id":"m1","collection":"books","source":"embedded","target":"pg","state":")" + state +
      R"(","goal":")" + goal + R"(","command":"","final":false)" +
      (more.empty() ? "" : "," + more) + "}");
}

TEST(MoveRests, AtItsGoalWithThatStatesWorkDone) {
  EXPECT_FALSE(MoveRests(Move("COPY", "VERIFY")));
  EXPECT_FALSE(MoveRests(Move("VERIFY", "VERIFY", R"("verified":false)")));
  EXPECT_TRUE(MoveRests(Move("VERIFY", "VERIFY", R"("verified":true)")));
  EXPECT_TRUE(MoveRests(Move("REVERSED", "REVERSED")));
}

TEST(MoveRests, NotWhileACommandRunsOrBetweenTheStores) {
  EXPECT_FALSE(MoveRests(Move("FENCE", "REVERSED")));
  EXPECT_FALSE(MoveRests(Move("SWITCHED", "REVERSED")));
  EXPECT_FALSE(MoveRests(Move("ROLLING_BACK", "REVERSED")));
  EXPECT_FALSE(MoveRests(
      bj::parse(R"({"state":"REVERSED","goal":"REVERSED","command":"rollback","final":false})")));
  EXPECT_TRUE(MoveRests(bj::parse(R"({"state":"ABORTED","goal":"VERIFY","final":true})")));
}

TEST(MoveRests, ARampRestsAtItsLastStep) {
  const std::string policy = R"("policy":{"ramp_percents":[1,50]},"read_percent_target":)";
  EXPECT_FALSE(MoveRests(Move("RAMP", "RAMP", policy + "1")));
  EXPECT_TRUE(MoveRests(Move("RAMP", "RAMP", policy + "50")));
}

TEST(MoveScreen, ShowsPlaceBarRateTimeLeftAndTrouble) {
  const auto lines =
      MoveScreen(Move("COPY", "REVERSED",
                      R"("waiting_for":"the copy","last_error":"pg: away","seconds_left":12.4,
              "counts":{"source_records":1000,"copied":250,"chunks":4,"chunks_closed":1,
                        "copy_rows_per_second":60,"dirty":2,"inflight":1})"),
                 0);
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], "m1: books from embedded to pg, goal REVERSED");
  EXPECT_EQ(lines[1],
            "✓PLANNED ✓CAPTURE [COPY] ·MIRROR ·VERIFY ·SHADOW ·RAMP ·FENCE ·SWITCHED ·REVERSED");
  EXPECT_EQ(lines[2], "[" + std::string(10, '#') + std::string(30, '-') + "]  25 %");
  EXPECT_EQ(lines[3], "250 of 1 k copied, 60/s, 12 s left · dirty 2 · in flight 1");
  EXPECT_EQ(lines[4], "waiting for: the copy");
  EXPECT_EQ(lines[5], "trouble: pg: away");
}

TEST(MoveScreen, FitsTheTerminalAndNamesStatesOutsideThePath) {
  for (const std::string& line : MoveScreen(Move("COPY", "VERIFY"), 20)) {
    EXPECT_LE(DisplayWidth(line), 20u) << line;
  }
  EXPECT_TRUE(MoveScreen(Move("ROLLING_BACK", "REVERSED"), 0)[1].ends_with("[ROLLING_BACK]"));
}

TEST(MoveLine, ChangesInStepsOfATenth) {
  const auto line = [](int closed) {
    return MoveLine(
        Move("COPY", "VERIFY",
             R"("counts":{"chunks":100,"chunks_closed":)" + std::to_string(closed) + "}"));
  };
  EXPECT_EQ(line(11), "COPY 10 %");
  EXPECT_EQ(line(19), "COPY 10 %");
  EXPECT_EQ(line(20), "COPY 20 %");
}

TEST(MovesTable, SaysTroubleRatherThanWhatIsWaitedFor) {
  const bj::array moves = {
      Move("VERIFY", "VERIFY", R"("verified":true,"waiting_for":"you: advance")"),
      Move("COPY", "VERIFY", R"("waiting_for":"the copy","last_error":"away")")};
  const std::string text = MovesTable(moves).Render({});
  EXPECT_NE(text.find("yes       you: advance\n"), std::string::npos) << text;
  EXPECT_NE(text.find("no        away\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace roost
