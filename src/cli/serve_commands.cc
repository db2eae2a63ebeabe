#include <iostream>

#include <CLI/CLI.hpp>
#include <malloc.h>

#include "base/json.h"
#include "cli/commands.h"
#include "server/config.h"
#include "server/wiring.h"

namespace roost {

namespace {

// What may be said of the configuration on the command line.
struct ConfigOptions {
  ConfigFlags flags;
  std::vector<std::string> stores;  // NAME=ADDRESS
};

std::string NamesOf(const std::string& key) {
  const size_t dot = key.find('.');
  const bool has_short = key == "server.port" || key == "server.address";
  if (key == "data.folder") {
    return "--data,--data.folder";
  }
  if (key == "metadata.uri") {
    return "--metadata,--metadata.uri";
  }
  return has_short ? "--" + key.substr(dot + 1) + ",--" + key : "--" + key;
}

std::shared_ptr<ConfigOptions> AddConfigOptions(CLI::App& command) {
  auto options = std::make_shared<ConfigOptions>();
  command.add_option("--config", options->flags.file, "Configuration file (roost.yaml)")
      ->type_name("FILE");
  command.add_option("--store", options->stores, "A further store; may be given again")
      ->type_name("NAME=ADDRESS")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  for (const EffectiveValue& key : ConfigKeys()) {
    if (key.key == "stores.NAME") {
      continue;
    }
    const std::string shown = key.value.empty() ? std::string() : " (" + key.value + ")";
    command
        .add_option_function<std::string>(
            NamesOf(key.key),
            [options, name = key.key](const std::string& value) {
              options->flags.values[name] = value;
            },
            key.help + shown)
        ->type_name(key.key == "data.folder" ? "FOLDER" : "VALUE");
  }
  return options;
}

Result<LoadedConfig> Load(ConfigOptions& options) {
  for (const std::string& store : options.stores) {
    const size_t equals = store.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument(
          "--store must be NAME=ADDRESS, e.g. pg=postgresql://USER@HOST/DATABASE");
    }
    options.flags.values["stores." + store.substr(0, equals)] = store.substr(equals + 1);
  }
  return LoadConfig(options.flags, ReadEnvironment());
}

Result<ExitStatus> Serve(ConfigOptions& options) {
  // glibc makes an arena a thread otherwise, and each keeps what its threads once needed.
  mallopt(M_ARENA_MAX, 4);
  const LoadedConfig loaded = TRY(Load(options));
  return RunServer(loaded) == 0 ? ExitStatus::kOk : ExitStatus::kFailed;
}

std::string ToJson(const EffectiveValue& value) {
  std::string out = "{";
  const auto add = [&](std::string_view name, std::string_view text) {
    out += out.size() > 1 ? "," : "";
    AppendJsonString(out, name);
    out.push_back(':');
    AppendJsonString(out, text);
  };
  add("key", value.key);
  add("value", value.value);
  add("origin", value.origin);
  add("help", value.help);
  return out + "}";
}

void PrintValues(Session& session, const std::vector<EffectiveValue>& values,
                 const std::string& origin_title) {
  if (session.json()) {
    std::string out = "[";
    for (const EffectiveValue& value : values) {
      out += (out.size() > 1 ? "," : "") + ToJson(value);
    }
    session.PrintJson(out + "]");
    return;
  }
  Table table({"key", "value", origin_title, "meaning"});
  for (const EffectiveValue& value : values) {
    table.AddRow({value.key, value.value, value.origin, value.help});
  }
  session.Print(table);
}

void PrintMarkdown(Session& session) {
  std::ostream& out = session.terminal().out;
  out << "| Key | Default | Environment | Meaning |\n|---|---|---|---|\n";
  for (const EffectiveValue& key : ConfigKeys()) {
    out << "| `" << key.key << "` | " << (key.value.empty() ? "" : "`" + key.value + "`") << " | `"
        << key.origin << "` | " << key.help << " |\n";
  }
}

void AddConfig(CLI::App& app, Session& session) {
  CLI::App* config = AddCommand(app, "config", "Look at the server's configuration",
                                "roost config check --config roost.yaml");
  config->require_subcommand(1);
  CLI::App* check =
      AddCommand(*config, "check", "Print the values in force and where they come from",
                 "roost config check --config roost.yaml --port 9000");
  auto options = AddConfigOptions(*check);
  check->callback([&session, options] {
    session.action = [&session, options]() -> Result<ExitStatus> {
      const LoadedConfig loaded = TRY(Load(*options));
      PrintValues(session, loaded.values, "origin");
      return ExitStatus::kOk;
    };
  });
  CLI::App* keys = AddCommand(*config, "keys", "Print all keys", "roost config keys --markdown");
  auto markdown = std::make_shared<bool>(false);
  keys->add_flag("--markdown", *markdown, "As the table of docs/configuration.md");
  keys->callback([&session, markdown] {
    session.action = [&session, markdown]() -> Result<ExitStatus> {
      if (*markdown) {
        PrintMarkdown(session);
      } else {
        PrintValues(session, ConfigKeys(), "environment");
      }
      return ExitStatus::kOk;
    };
  });
}

}  // namespace

void AddServeCommands(CLI::App& app, Session& session) {
  CLI::App* serve = AddCommand(app, "serve", "Run the server until SIGTERM",
                               "roost serve --data /var/lib/roost --port 19530\n"
                               "roost serve --store pg=postgresql://roost@127.0.0.1/vectors");
  auto options = AddConfigOptions(*serve);
  serve->callback([&session, options] { session.action = [options] { return Serve(*options); }; });
  AddConfig(app, session);
}

}  // namespace roost
