#include "cli/bootstrap_view.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

PreparedStore Store(StepState first, StepState second) {
  PreparedStore store;
  store.address = "opensearch://a:***@h:9200";
  store.version = "OpenSearch 2.19.1";
  store.steps.resize(2);
  store.steps[0].kind = "collection";
  store.steps[0].name = "books";
  store.steps[0].state = first;
  store.steps[1].kind = "index template";
  store.steps[1].name = "books_template";
  store.steps[1].state = second;
  return store;
}

std::string Last(const std::vector<PreparedStore>& stores, bool dry_run = false) {
  return BootstrapLines(stores, {.dry_run = dry_run}).back();
}

std::string Outcome(const std::vector<PreparedStore>& stores, bool dry_run = false) {
  return std::string(boost::json::parse(BootstrapJson(stores, dry_run)).at("outcome").as_string());
}

TEST(BootstrapView, ShowsEachStepWithItsState) {
  auto store = Store(StepState::kThere, StepState::kMade);
  store.notes = {"slow"};
  EXPECT_THAT(
      BootstrapLines({store}, {}),
      ElementsAre("opensearch://a:***@h:9200 (OpenSearch 2.19.1)", "  there      collection books",
                  "  made       index template books_template", "  note: slow", "1 made"));
  store.version.clear();
  EXPECT_EQ(BootstrapLines({store}, {}).front(), "opensearch://a:***@h:9200");
}

TEST(BootstrapView, ShowsWhatDiffersAndWhatToDo) {
  auto store = Store(StepState::kDifferent, StepState::kMissing);
  store.steps[0].differences = {"dimension is 4, wanted is 8"};
  store.steps[0].advice = "drop it";
  EXPECT_THAT(BootstrapLines({store}, {.color = true}),
              ElementsAre("opensearch://a:***@h:9200 (OpenSearch 2.19.1)",
                          "  \033[31mdifferent \033[0m collection books",
                          "             dimension is 4, wanted is 8", "             → drop it",
                          "  \033[33mmissing   \033[0m index template books_template",
                          "refused: 1 in the way; nothing was changed"));
}

TEST(BootstrapView, SaysWhatCameOfIt) {
  using enum StepState;
  EXPECT_EQ(Last({Store(kThere, kThere)}), "everything is there; nothing had to be done");
  EXPECT_EQ(Last({Store(kMissing, kMissing)}, true), "2 would be made; nothing was changed");
  EXPECT_EQ(Last({Store(kMade, kThere), Store(kMade, kMade)}), "3 made");
  EXPECT_EQ(Last({Store(kMade, kMissing)}), "1 made, 1 still missing");
  EXPECT_EQ(Outcome({Store(kThere, kThere)}), "nothing to do");
  EXPECT_EQ(Outcome({Store(kMissing, kThere)}, true), "would be made");
  EXPECT_EQ(Outcome({Store(kMade, kThere)}), "made");
  EXPECT_EQ(Outcome({Store(kMade, kMissing)}), "incomplete");
  EXPECT_EQ(Outcome({Store(kMissing, kDifferent)}, true), "refused");
}

TEST(BootstrapView, IsValidJson) {
  auto store = Store(StepState::kDifferent, StepState::kMissing);
  store.steps[0].differences = {"field \"a\" is not there", "b"};
  store.steps[0].advice = "drop\nit";
  store.notes = {"n1", "n2"};
  const auto document = boost::json::parse(BootstrapJson({store, store}, true));
  EXPECT_EQ(document.at("dry_run"), true);
  EXPECT_EQ(document.at_pointer("/stores/1/version"), "OpenSearch 2.19.1");
  EXPECT_EQ(document.at_pointer("/stores/0/notes/1"), "n2");
  EXPECT_EQ(document.at_pointer("/stores/0/steps/0/differences/0"), "field \"a\" is not there");
  EXPECT_EQ(document.at_pointer("/stores/0/steps/0/advice"), "drop\nit");
  EXPECT_EQ(document.at_pointer("/stores/0/steps/1/state"), "missing");
}

}  // namespace
}  // namespace roost
