#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/command_tree.h"

namespace roost {
namespace {

CommandNode Tree() {
  CommandNode root{.name = "roost", .summary = "front door"};
  root.options = {{.names = {"--output"}, .value = "table|json", .help = "How"},
                  {.names = {"-q", "--quiet"}, .value = "", .help = "No 'notes'"}};
  CommandNode load{.name = "load", .summary = "Write records", .example = "roost load a.jsonl"};
  load.arguments = {
      {.names = {"FILE"}, .value = "FILE", .help = "A file", .required = true, .many = true}};
  load.options = {{.names = {"-c", "--collection"},
                   .value = "NAME",
                   .help = "The collection",
                   .required = true}};
  CommandNode create{.name = "create", .summary = "Begin a move"};
  create.options = {{.names = {"--target"}, .value = "STORE", .help = "Where [to]: a store"}};
  CommandNode move{.name = "move", .summary = "Move collections"};
  move.commands = {create, {.name = "dead-letters", .summary = "Print them"}};
  root.commands = {load, move};
  return root;
}

// What bash offers for the last of `words`.
std::string BashOffers(const std::string& words) {
  const std::string path = testing::TempDir() + std::to_string(::getpid()) + "complete.bash";
  std::ofstream(path) << CompletionScript(Tree(), "bash");
  const std::string command = "bash --norc -c 'source " + path + "; COMP_WORDS=(" + words +
                              "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _roost 2>/dev/null; "
                              "echo \"${COMPREPLY[*]}\"'";
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string out;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    out.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(::pclose(pipe), 0) << out;
  ::unlink(path.c_str());
  return out;
}

TEST(BashCompletion, OffersCommandsOptionsAndChoices) {
  EXPECT_EQ(BashOffers("roost \"\""), "load move\n");
  EXPECT_EQ(BashOffers("roost mo"), "move\n");
  EXPECT_EQ(BashOffers("roost move \"\""), "create dead-letters\n");
  EXPECT_EQ(BashOffers("roost move create --t"), "--target\n");
  EXPECT_EQ(BashOffers("roost -q move create --output \"\""), "table json\n");
  EXPECT_EQ(BashOffers("roost load --"), "--collection --output --quiet\n");
  EXPECT_EQ(BashOffers("roost load --collection \"\""), "\n");
}

TEST(ZshCompletion, NamesEveryCommandAndQuotesWhatIsSpecial) {
  const std::string script = CompletionScript(Tree(), "zsh");
  EXPECT_TRUE(script.starts_with("#compdef roost\n"));
  for (const char* part : {"_roost_move_dead_letters() {", "'load:Write records'",
                           "'*--output[How]:value:(table json)'", "[Where (to); a store]",
                           "[No '\\''notes'\\'']", "'*:file:_files'"}) {
    EXPECT_NE(script.find(part), std::string::npos) << part << "\n" << script;
  }
}

TEST(FishCompletion, OffersEachWordWhereItMayStand) {
  const std::string script = CompletionScript(Tree(), "fish");
  for (const char* part :
       {"complete -c roost -n '__roost_at \" move\"' -a create -d 'Begin a move'",
        "complete -c roost -n '__roost_at \" load\"' -s c -l collection -x",
        "complete -c roost -n '__roost_at \" load\"' -F",
        "complete -c roost -n 'true' -l output -x -a 'table json'"}) {
    EXPECT_NE(script.find(part), std::string::npos) << part << "\n" << script;
  }
  EXPECT_EQ(CompletionScript(Tree(), "powershell"), "");
}

TEST(ManPage, DescribesEveryCommandAndTheExitStatus) {
  const std::string page = ManPage(Tree(), "1.2.3");
  EXPECT_TRUE(page.starts_with(".TH ROOST 1 \"\" \"Roost 1.2.3\""));
  for (const char* part :
       {".SS \\fBroost load\\fR \\fIFILE\\fR... [\\fIOPTION\\fR...]\nWrite records.\n",
        ".SS \\fBroost move dead\\-letters\\fR",
        "\\fB\\-c\\fR, \\fB\\-\\-collection\\fR \\fINAME\\fR\n"
        "The collection (required)\n",
        ".SH EXIT STATUS", ".B 130"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part << "\n" << page;
  }
}

}  // namespace
}  // namespace roost
