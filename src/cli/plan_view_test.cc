#include "cli/plan_view.h"

#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace roost {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;

const bj::value kPlan = bj::parse(R"({
  "source": "embedded", "target": "milvus", "records": 20, "chunks": 1,
  "fidelity": [{"what": "title", "from": "TEXT", "to": "name VARCHAR", "fidelity": "approximated",
                "remark": "the target has no keyword search"}],
  "mapping": {"schema": {"name": "books", "fields": [{"name": "name", "type": "VARCHAR"}]},
              "from": {"name": "title"}},
  "steps": ["COPY: copy"], "notes": ["late"], "refusals": []})");

TEST(PlanView, ShowsWhatBecomesOfEachFieldAndTheMappingToEdit) {
  std::ostringstream out;
  std::ostringstream err;
  Session session({.out = out, .err = err});
  PrintPlan(session, kPlan);
  const std::string text = out.str();
  EXPECT_THAT(text, HasSubstr("from embedded to milvus: 20 records in 1 chunks"));
  EXPECT_THAT(text, HasSubstr("title  TEXT  name VARCHAR  approximated  the target has no"));
  EXPECT_THAT(text, HasSubstr("  step: COPY: copy\n  note: late\n"));
  EXPECT_THAT(text, HasSubstr("\"from\":{\"name\":\"title\"}"));
  EXPECT_FALSE(PlanIsRefused(kPlan));
}

TEST(PlanView, ARefusedPlanWithoutAMappingHasNoneToSave) {
  const bj::value plan = bj::parse(R"({"source":"a","target":"b","refusals":["no such store"]})");
  EXPECT_TRUE(PlanIsRefused(plan));
  EXPECT_EQ(SaveMapping(plan, "/nowhere/at/all").code(), Code::kInvalidArgument);
}

TEST(PlanView, TheSavedMappingIsTheSameDocument) {
  const std::string path = ::testing::TempDir() + "/mapping." + std::to_string(::getpid());
  ASSERT_TRUE(SaveMapping(kPlan, path).ok());
  const auto saved = ReadInput(path);
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(bj::parse(*saved), kPlan.at("mapping"));
  ::unlink(path.c_str());
}

TEST(PrettyJson, BreaksOnlyWhatDoesNotFit) {
  const bj::value value = bj::parse(R"({"a":[1,2],"b":{"c":"long enough to break"},"d":{}})");
  EXPECT_EQ(PrettyJson(value), bj::serialize(value));
  EXPECT_EQ(
      PrettyJson(value, 28),
      "{\n  \"a\": [1,2],\n  \"b\": {\n    \"c\": \"long enough to break\"\n  },\n  \"d\": {}\n}");
}

}  // namespace
}  // namespace roost
