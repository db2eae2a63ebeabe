#include "cli/cli.h"

#include <algorithm>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/commands.h"
#include "server/wiring.h"

namespace roost {

namespace {

constexpr const char* kSummary = "one front door to vector stores";

void AddGlobalOptions(CLI::App& app, Session& session) {
  GlobalOptions& options = session.options;
  app.add_option("--url", options.url,
                 "Address of the server; else ROOST_URL (" + options.url + ")")
      ->type_name("URL")
      ->envname("ROOST_URL");
  AddChoice(app, "--output", options.output, "table|json", "How results are shown");
  app.add_flag_callback(
      "--json", [&options] { options.output = "json"; }, "The same as --output json");
  app.add_option("--timeout", options.timeout_seconds, "How long one request may take (60)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 86'400.0).description(""));
  app.add_flag("-q,--quiet", options.quiet, "No progress and no notes");
  app.set_version_flag("--version", "roost " + Version());
}

OptionNode NodeOf(const CLI::Option& option) {
  OptionNode node;
  for (const std::string& name : option.get_snames()) {
    node.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    node.names.push_back("--" + name);
  }
  if (option.get_positional()) {
    node.names = {option.get_name(true)};
  }
  node.value = option.get_items_expected_max() > 0 ? option.get_type_name() : "";
  node.help = option.get_description();
  node.required = option.get_required();
  node.many = option.get_items_expected_max() > 1;
  return node;
}

Result<ExitStatus> Complete(Session& session, const CLI::App& app, const std::string& shell) {
  session.terminal().out << CompletionScript(TreeOf(app), shell);
  return ExitStatus::kOk;
}

// CLI11's own words, with where to look.
int ExplainUsage(const CLI::App& app, const CLI::ParseError& error, Session& session) {
  if (error.get_exit_code() == 0) {
    return app.exit(error, std::cout, std::cerr);  // --help, --version
  }
  const CLI::App* command = &app;
  std::string path = "roost";
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += " " + command->get_name();
  }
  const std::string words = error.what();
  const Error usage = InvalidArgument(
      fmt::format("{}{}See `{} --help`.", words, words.ends_with('.') ? " " : ". ", path));
  return static_cast<int>(session.Fail(usage));
}

void AddAll(CLI::App& app, Session& session) {
  AddGlobalOptions(app, session);
  AddServeCommands(app, session);
  AddTransferCommands(app, session);
  AddSearchCommand(app, session);
  AddRecordCommands(app, session);
  AddCollectionCommands(app, session);
  AddAdoptCommand(app, session);
  AddMoveCommands(app, session);
  AddBootstrapCommand(app, session);
  AddDoctorCommand(app, session);
  AddShellCommands(app, session);
}

}  // namespace

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& summary,
                     const std::string& example) {
  CLI::App* command = parent.add_subcommand(name, summary);
  if (!example.empty()) {
    std::string footer = "\nExample:";
    for (const std::string_view line : Split(example, '\n')) {
      footer += "\n  " + std::string(Trim(line));
    }
    command->footer(footer);
  }
  return command;
}

CLI::Option* AddChoice(CLI::App& command, const std::string& names, std::string& target,
                       const std::string& choices, const std::string& help) {
  std::vector<std::string> allowed;
  for (const std::string_view choice : Split(choices, '|')) {
    allowed.emplace_back(choice);
  }
  return command.add_option(names, target, help)
      ->type_name(choices)
      ->check(CLI::IsMember(allowed).description(""));
}

void AddCollectionOption(CLI::App& command, std::string& target) {
  command.add_option("-c,--collection", target, "The collection")->type_name("NAME")->required();
}

CommandNode TreeOf(const CLI::App& app) {
  CommandNode node{.name = app.get_name(), .summary = app.get_description()};
  node.example = app.get_footer();
  if (const size_t start = node.example.find("Example:\n"); start != std::string::npos) {
    node.example.erase(0, start + 9);
  }
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) {
      (option->get_positional() ? node.arguments : node.options).push_back(NodeOf(*option));
    }
  }
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!child->get_group().empty()) {
      node.commands.push_back(TreeOf(*child));
    }
  }
  return node;
}

void AddShellCommands(CLI::App& app, Session& session) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      AddCommand(app, "completion", "Print the script that completes commands in a shell",
                 "roost completion bash > ~/.local/share/bash-completion/completions/roost\n"
                 "source <(roost completion zsh)");
  AddChoice(*completion, "SHELL", *shell, "bash|zsh|fish", "The shell")->required();
  completion->callback([&session, &app, shell] {
    session.action = [&session, &app, shell] { return Complete(session, app, *shell); };
  });
  AddCommand(app, "version", "Print the version", "roost version")->callback([&session] {
    session.action = [&session]() -> Result<ExitStatus> {
      session.Say("roost " + Version());
      if (session.json()) {
        session.PrintJson(R"({"version":")" + Version() + R"("})");
      }
      return ExitStatus::kOk;
    };
  });
  CLI::App* man = AddCommand(app, "man", "Print the manual page", "");
  man->group("");
  man->callback([&session, &app] {
    session.action = [&session, &app]() -> Result<ExitStatus> {
      session.terminal().out << ManPage(TreeOf(app), Version());
      return ExitStatus::kOk;
    };
  });
}

int RunCommandLine(int argc, char** argv) {
  Session session(ProcessTerminal());
  CLI::App app(kSummary, "roost");
  app.set_help_flag("-h,--help", "Explain the command");
  app.fallthrough();
  app.require_subcommand(1);
  AddAll(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The line was not read to its end, so what it says of the output may not have been seen.
    const bool json =
        std::any_of(argv, argv + argc, [](std::string_view word) { return word == "--json"; });
    session.options.output = json ? "json" : session.options.output;
    return ExplainUsage(app, error, session);
  }
  const Result<ExitStatus> status = session.action();
  std::cout << std::flush;
  if (!status.ok()) {
    return static_cast<int>(session.Fail(status.error()));
  }
  if (!std::cout.good()) {
    std::cerr << "roost: standard output cannot be written\n";
    return static_cast<int>(ExitStatus::kFailed);
  }
  return static_cast<int>(*status);
}

}  // namespace roost
