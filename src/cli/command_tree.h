#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace roost {

/// The command line as data: what help, completion and the man page are made of.
struct OptionNode {
  std::vector<std::string> names;  ///< "-c", "--collection"; a positional's own name
  std::string value;               ///< "FILE"; empty for flags; "a|b|c" for a choice
  std::string help;
  bool required = false;
  bool many = false;

  bool flag() const { return value.empty(); }
  /// What may stand behind it; empty where that is open.
  std::vector<std::string> Choices() const;
  bool TakesFile() const { return value == "FILE"; }
  bool TakesFolder() const { return value == "FOLDER"; }
};

struct CommandNode {
  std::string name;
  std::string summary;
  std::string example;  ///< what help shows below "Example"
  std::vector<OptionNode> arguments;
  std::vector<OptionNode> options;
  std::vector<CommandNode> commands;
};

/// "roost move create" and its node, the root first; parents before children.
struct CommandPath {
  std::string path;
  const CommandNode* node = nullptr;
};
std::vector<CommandPath> AllCommands(const CommandNode& root);

/// The script that completes the command line in a shell: "bash", "zsh" or "fish"; empty for
/// others.
std::string CompletionScript(const CommandNode& root, std::string_view shell);

/// The page of section 1, as roff.
std::string ManPage(const CommandNode& root, std::string_view version);

}  // namespace roost
