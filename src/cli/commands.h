#pragma once

#include "cli/command_tree.h"
#include "cli/session.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace roost {

/// Each adds its commands to the program; a parsed command leaves its work in session.action.
void AddServeCommands(CLI::App& app, Session& session);       // serve, config
void AddTransferCommands(CLI::App& app, Session& session);    // load, export
void AddSearchCommand(CLI::App& app, Session& session);       // search
void AddRecordCommands(CLI::App& app, Session& session);      // get, query, delete
void AddMoveCommands(CLI::App& app, Session& session);        // move …
void AddCollectionCommands(CLI::App& app, Session& session);  // collections, databases, stores
void AddAdoptCommand(CLI::App& app, Session& session);        // adopt
void AddBootstrapCommand(CLI::App& app, Session& session);    // bootstrap
void AddDoctorCommand(CLI::App& app, Session& session);       // doctor
void AddShellCommands(CLI::App& app, Session& session);       // completion, version, man

/// A command with its summary and what help shows as an example.
CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& summary,
                     const std::string& example);
/// One of a few values: "a|b|c" is what help shows.
CLI::Option* AddChoice(CLI::App& command, const std::string& names, std::string& target,
                       const std::string& choices, const std::string& help);
/// -c, --collection NAME, which must be given.
void AddCollectionOption(CLI::App& command, std::string& target);

/// The command line as data.
CommandNode TreeOf(const CLI::App& app);

}  // namespace roost
