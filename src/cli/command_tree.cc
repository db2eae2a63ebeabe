#include "cli/command_tree.h"

#include "base/strings.h"

namespace roost {

namespace {

void Collect(const CommandNode& node, const std::string& path, std::vector<CommandPath>& all) {
  all.push_back({.path = path, .node = &node});
  for (const CommandNode& child : node.commands) {
    Collect(child, path + " " + child.name, all);
  }
}

}  // namespace

std::vector<std::string> OptionNode::Choices() const {
  std::vector<std::string> choices;
  if (value.find('|') != std::string::npos) {
    for (const std::string_view choice : Split(value, '|')) {
      choices.emplace_back(choice);
    }
  }
  return choices;
}

std::vector<CommandPath> AllCommands(const CommandNode& root) {
  std::vector<CommandPath> all;
  Collect(root, root.name, all);
  return all;
}

}  // namespace roost
