#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"
#include "cli/command_tree.h"

namespace roost {

namespace {

// In single quotes for a shell.
std::string ShellQuoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return out + "'";
}

std::vector<std::string> Names(const CommandNode& node) {
  std::vector<std::string> names;
  for (const CommandNode& child : node.commands) {
    names.push_back(child.name);
  }
  return names;
}

std::vector<std::string> OptionNames(const CommandNode& node) {
  std::vector<std::string> names;
  for (const OptionNode& option : node.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

// What a word behind `option` may be, as bash code.
std::string BashValues(const OptionNode& option) {
  const std::vector<std::string> choices = option.Choices();
  if (!choices.empty()) {
    return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$word\"))", fmt::join(choices, " "));
  }
  if (option.TakesFile()) {
    return "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\"))";
  }
  return option.TakesFolder() ? "compopt -o filenames; COMPREPLY=($(compgen -d -- \"$word\"))"
                              : "COMPREPLY=()";
}

// The words of the command line that are commands, as far as they lead down the tree.
std::string BashPath(const CommandNode& root) {
  std::string out =
      "  local path=roost at\n  for ((at = 1; at < COMP_CWORD; ++at)); do\n"
      "    case \"$path ${COMP_WORDS[at]}\" in\n";
  std::vector<std::string> paths;
  for (const CommandPath& command : AllCommands(root)) {
    if (command.node != &root) {
      paths.push_back("'" + command.path + "'");
    }
  }
  out += fmt::format("      {}) path+=\" ${{COMP_WORDS[at]}}\" ;;\n", fmt::join(paths, "|"));
  return out + "    esac\n  done\n";
}

std::string BashScript(const CommandNode& root) {
  std::string out =
      "# bash completion for roost; made by `roost completion bash`\n_roost() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n";
  out += BashPath(root);
  out += "  case \"$path $before\" in\n";
  std::string words;
  for (const auto& [path, node] : AllCommands(root)) {
    const std::vector<std::string> global =
        node == &root ? std::vector<std::string>() : OptionNames(root);
    const auto add = [&](const OptionNode& option) {
      if (option.flag()) {
        return;
      }
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) {
        patterns.push_back(fmt::format("'{} {}'", path, name));
      }
      out += fmt::format("    {}) {}; return ;;\n", fmt::join(patterns, "|"), BashValues(option));
    };
    std::for_each(node->options.begin(), node->options.end(), add);
    if (node != &root) {
      std::for_each(root.options.begin(), root.options.end(), add);
    }
    std::vector<std::string> all = Names(*node);
    std::string files;
    for (const OptionNode& argument : node->arguments) {
      const std::vector<std::string> choices = argument.Choices();
      all.insert(all.end(), choices.begin(), choices.end());
      files = argument.TakesFile() ? " -f" : files;
    }
    const std::string options = fmt::format("{}{}{}", fmt::join(OptionNames(*node), " "),
                                            global.empty() ? "" : " ", fmt::join(global, " "));
    words += fmt::format(
        "    '{}')\n      if [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W '{}' -- \"$word\"))\n      else\n"
        "        COMPREPLY=($(compgen{} -W '{}' -- \"$word\"))\n      fi ;;\n",
        path, options, files, fmt::join(all, " "));
  }
  return out + "  esac\n  case \"$path\" in\n" + words + "  esac\n}\ncomplete -F _roost roost\n";
}

// One option as zsh's _arguments wants it.
std::string ZshOption(const OptionNode& option) {
  std::string help;
  for (const char c : option.help) {
    help += c == '[' ? "(" : c == ']' ? ")" : c == ':' ? ";" : std::string(1, c);
  }
  std::string value;
  if (!option.flag()) {
    const std::vector<std::string> choices = option.Choices();
    const std::string what = !choices.empty()       ? fmt::format("({})", fmt::join(choices, " "))
                             : option.TakesFile()   ? "_files"
                             : option.TakesFolder() ? "_files -/"
                                                    : "";
    value = fmt::format(":{}:{}", ToLower(choices.empty() ? option.value : "value"), what);
  }
  std::string out;
  for (const std::string& name : option.names) {
    out += " " + ShellQuoted(fmt::format("*{}[{}]{}", name, help, value));
  }
  return out;
}

std::string ZshFunctionName(std::string path) {
  std::replace_if(path.begin(), path.end(), [](char c) { return c == ' ' || c == '-'; }, '_');
  return "_" + path;
}

std::string ZshFunction(const CommandNode& root, const std::string& path, const CommandNode& node) {
  std::string options;
  for (const OptionNode& option : node.options) {
    options += ZshOption(option);
  }
  for (const OptionNode& option : &node == &root ? std::vector<OptionNode>() : root.options) {
    options += ZshOption(option);
  }
  std::string out = ZshFunctionName(path == "roost" ? "roost root" : path) + "() {\n";
  if (node.commands.empty()) {
    std::string arguments;
    for (const OptionNode& argument : node.arguments) {
      const std::vector<std::string> choices = argument.Choices();
      const std::string what = choices.empty() ? std::string(argument.TakesFile() ? "_files" : "")
                                               : fmt::format("({})", fmt::join(choices, " "));
      arguments += " " + ShellQuoted(fmt::format("{}:{}:{}", argument.many ? "*" : "",
                                                 ToLower(argument.names.front()), what));
    }
    return out + "  _arguments -s" + options + arguments + "\n}\n";
  }
  out += "  local state line\n  _arguments -C -s" + options +
         " '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n"
         "      local -a commands=(";
  for (const CommandNode& child : node.commands) {
    out += "\n        " + ShellQuoted(child.name + ":" + child.summary);
  }
  out += ")\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n";
  for (const CommandNode& child : node.commands) {
    out += fmt::format("        {}) {} ;;\n", child.name, ZshFunctionName(path + " " + child.name));
  }
  return out + "      esac ;;\n  esac\n}\n";
}

std::string ZshScript(const CommandNode& root) {
  std::string out = "#compdef roost\n# zsh completion for roost; made by `roost completion zsh`\n";
  for (const auto& [path, node] : AllCommands(root)) {
    out += ZshFunction(root, path, *node);
  }
  // Sourced or autoloaded: both must work.
  return out +
         "if [ \"$funcstack[1]\" = _roost ]; then\n  _roost_root \"$@\"\nelse\n"
         "  compdef _roost_root roost\nfi\n";
}

std::string FishOption(const std::string& condition, const OptionNode& option) {
  std::string out = fmt::format("complete -c roost -n {}", ShellQuoted(condition));
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  const std::vector<std::string> choices = option.Choices();
  if (!option.flag()) {
    out += option.TakesFile() || option.TakesFolder() ? " -r -F" : " -x";
    out += choices.empty() ? "" : fmt::format(" -a '{}'", fmt::join(choices, " "));
  }
  return out + " -d " + ShellQuoted(option.help) + "\n";
}

std::string FishScript(const CommandNode& root) {
  std::string out =
      "# fish completion for roost; made by `roost completion fish`\n"
      "function __roost_at\n  set -l path\n"
      "  for word in (commandline -opc)[2..-1]\n    switch \"$path $word\"\n      case";
  for (const CommandPath& command : AllCommands(root)) {
    if (command.node != &root) {
      out += " " + ShellQuoted(command.path.substr(root.name.size()));
    }
  }
  out +=
      "\n        set path \"$path $word\"\n    end\n  end\n"
      "  test \"$path\" = \"$argv[1]\"\nend\ncomplete -c roost -f\n";
  for (const OptionNode& option : root.options) {
    out += FishOption("true", option);
  }
  for (const auto& [path, node] : AllCommands(root)) {
    const std::string at = "__roost_at \"" + path.substr(root.name.size()) + "\"";
    for (const CommandNode& child : node->commands) {
      out += fmt::format("complete -c roost -n {} -a {} -d {}\n", ShellQuoted(at), child.name,
                         ShellQuoted(child.summary));
    }
    for (const OptionNode& argument : node->arguments) {
      const std::vector<std::string> choices = argument.Choices();
      if (!choices.empty()) {
        out += fmt::format("complete -c roost -n {} -a '{}'\n", ShellQuoted(at),
                           fmt::join(choices, " "));
      } else if (argument.TakesFile()) {
        out += fmt::format("complete -c roost -n {} -F\n", ShellQuoted(at));
      }
    }
    for (const OptionNode& option : node == &root ? std::vector<OptionNode>() : node->options) {
      out += FishOption(at, option);
    }
  }
  return out;
}

}  // namespace

std::string CompletionScript(const CommandNode& root, std::string_view shell) {
  if (shell == "bash") {
    return BashScript(root);
  }
  if (shell == "zsh") {
    return ZshScript(root);
  }
  return shell == "fish" ? FishScript(root) : std::string();
}

}  // namespace roost
