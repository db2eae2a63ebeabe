#include "cli/table.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "cli/records_view.h"

namespace roost {
namespace {

TEST(Table, PutsNumbersToTheRightAndTextsToTheLeft) {
  Table table({"name", "n"});
  table.AddRow({"a", "5"});
  table.AddRow({"long", "123"});
  EXPECT_EQ(table.Render({}), "name    n\na       5\nlong  123\n");
}

TEST(Table, CutsTheWidestColumnsToTheTerminal) {
  Table table({"id", "text"});
  table.AddRow({"1", std::string(100, 'x')});
  EXPECT_EQ(table.Render({.width = 20}), "id  text\n 1  " + std::string(15, 'x') + "…\n");
}

TEST(Table, ShowsNoControlCharacters) {
  Table table({"t"});
  table.AddRow({"a\nb\x1b[31mc"});
  EXPECT_EQ(table.Render({}), "t\na b [31mc\n");
}

TEST(Table, CountsCodePoints) {
  EXPECT_EQ(DisplayWidth("naïve…"), 6u);
  EXPECT_EQ(CutTo("äöüß", 3), "äö…");
  EXPECT_EQ(CutTo("äöü", 3), "äöü");
}

TEST(RecordsTable, HasAColumnForEachMemberOfAnyRecord) {
  const auto records =
      boost::json::parse(R"([{"id":1,"v":[1.5,2,3,4,5]},null,{"id":2,"t":"x","o":{"a":1}}])")
          .as_array();
  EXPECT_EQ(RecordsTable(records).Render({}),
            "id  v                      t  o\n"
            " 1  [1.5, 2, 3, 4, …] (5)\n"
            " 2                         x  {\"a\":1}\n");
}

TEST(HitsTable, KeepsRankAndIdTogetherWhereARecordIsMissing) {
  const auto hits = boost::json::parse(
                        R"([{"id":"a","score":0.5,"distance":0.5},
          {"id":"b","score":0.25,"distance":0.75,"record":{"id":"b","t":"x"}}])")
                        .as_array();
  EXPECT_EQ(HitsTable(hits, "id").Render({}),
            "#  score  distance  id  t\n1    0.5       0.5  a\n2   0.25      0.75  b   x\n");
}

TEST(ParseReply, TellsWhatIsNotOurs) {
  EXPECT_EQ(ParseReply("<html>").code(), Code::kInternal);
  EXPECT_EQ(ParseReply("[]").code(), Code::kInternal);
}

}  // namespace
}  // namespace roost
