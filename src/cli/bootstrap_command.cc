#include <CLI/CLI.hpp>

#include "base/log.h"
#include "cli/bootstrap_view.h"
#include "cli/commands.h"
#include "cli/transfer.h"
#include "server/bootstrap.h"
#include "server/bootstrap_settings.h"
#include "server/config.h"

namespace roost {

namespace {

struct CommandOptions {
  BootstrapOptions settings;
  std::string schema_file;
  bool dry_run = false;
};

void Show(Session& session, const Bootstrap& bootstrap, bool dry_run) {
  if (session.json()) {
    session.PrintJson(BootstrapJson(bootstrap.stores(), dry_run));
    return;
  }
  const BootstrapLook look{.dry_run = dry_run, .color = session.terminal().color};
  for (const std::string& line : BootstrapLines(bootstrap.stores(), look)) {
    session.Say(line);
  }
}

Result<ExitStatus> Run(Session& session, CommandOptions& options) {
  // What a store's client notes for a server's log is no news here.
  TRY(InitLog({.level = LogLevel::kError}));
  if (!options.schema_file.empty()) {
    const std::string text = TRY(ReadInput(options.schema_file));
    options.settings.schema = TRY(ReadSchemaText(text, options.settings.collection));
  }
  const BootstrapSettings settings =
      TRY(ReadBootstrapSettings(options.settings, ReadEnvironment()));
  CatchInterrupts();
  const auto timeout = std::chrono::duration<double>(session.options.timeout_seconds);
  Bootstrap bootstrap(
      {.step_timeout = std::chrono::duration_cast<std::chrono::nanoseconds>(timeout),
       .give_up = Interrupted});
  for (const std::string& address : settings.addresses) {
    const Status looked = bootstrap.Look(address, settings.request);
    session.store_unreachable = bootstrap.unreachable();
    TRY(looked);
  }
  if (bootstrap.Count(StepState::kDifferent) > 0 || options.dry_run) {
    Show(session, bootstrap, options.dry_run);
    return bootstrap.Count(StepState::kDifferent) > 0 ? ExitStatus::kRefused : ExitStatus::kOk;
  }
  const Status made = bootstrap.Make();
  Show(session, bootstrap, false);
  session.store_unreachable = bootstrap.unreachable();
  TRY(made);
  return ExitStatus::kOk;
}

CLI::Option* AddText(CLI::App& command, const std::string& name, std::string& target,
                     const std::string& value, const std::string& help) {
  return command.add_option(name, target, help)->type_name(value);
}

CLI::Option* AddTexts(CLI::App& command, const std::string& name, std::vector<std::string>& target,
                      const std::string& value, const std::string& help) {
  return command.add_option(name, target, help)
      ->type_name(value)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void AddPlaceOptions(CLI::App& command, BootstrapOptions& options) {
  AddTexts(command, "--store", options.stores, "ADDRESS",
           "The store; embedded:FOLDER for that of a data folder; may be given again");
  AddText(command, "--backend", options.backend, "NAME",
          "Kind of the store that --hosts or the environment names; else ML_VECTOR_BACKEND");
  AddText(command, "--hosts", options.parts.hosts, "HOSTS",
          "host:port,host2, or https://host:port; else as the backend's variable says");
  AddText(command, "--database", options.parts.database, "NAME", "Database of the store");
  AddText(command, "--username", options.parts.user, "NAME", "Who signs in");
  AddText(command, "--password", options.parts.password, "SECRET",
          "Better set in the environment, where no list of processes shows it");
  AddText(command, "--token", options.parts.token, "SECRET", "Token or API key, likewise");
  AddChoice(command, "--verify-certs", options.parts.verify, "true|false",
            "Check the server's certificate");
  AddText(command, "--ca-file", options.parts.ca_file, "FILE", "Certificates to check it by");
}

void AddContentOptions(CLI::App& command, CommandOptions& options) {
  BootstrapOptions& settings = options.settings;
  AddText(command, "-c,--collection", settings.collection, "NAME",
          "The collection; else named as the index");
  AddText(command, "--index", settings.index, "NAME",
          "Index of other clients; where the store has templates, one for NAME-TENANT is made");
  AddTexts(command, "--tenant", settings.tenants, "NAME",
           "Make the index of this tenant too; may be given again");
  AddText(command, "--alias", settings.alias, "NAME", "A second name for other clients");
  AddText(command, "--dimension", settings.dimension, "NUMBER",
          "Of the vectors; else ML_VECTOR_DIMENSION (768)");
  AddChoice(command, "--metric", settings.metric, "COSINE|L2|IP",
            "How far apart vectors are (COSINE)");
  command.add_flag("--single-tenant", settings.single_tenant,
                   "Records belong to no tenant: tenant_id is a field like others");
  AddText(command, "--schema", options.schema_file, "FILE",
          "Another schema, as `roost collections create` takes it; - for standard input");
  command.add_flag("--dry-run", options.dry_run, "Only say what would be made");
}

}  // namespace

void AddBootstrapCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<CommandOptions>();
  CLI::App* command =
      AddCommand(app, "bootstrap", "Prepare a store: its collection, templates, extensions",
                 "roost bootstrap --store postgresql://roost@db/vectors -c books --dry-run\n"
                 "roost bootstrap --backend opensearch --hosts https://search:9200 --index books");
  AddPlaceOptions(*command, options->settings);
  AddContentOptions(*command, *options);
  command->callback([&session, options] {
    session.action = [&session, options] { return Run(session, *options); };
  });
}

}  // namespace roost
