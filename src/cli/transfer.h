#pragma once

#include <string>

#include "base/result.h"
#include "cli/api.h"
#include "cli/session.h"
#include "store/types.h"

namespace CLI {
class App;
}  // namespace CLI

namespace roost {

void AddLoadCommand(CLI::App& app, Session& session);
void AddExportCommand(CLI::App& app, Session& session);

/// The schema of a collection and, where `records` is given, about how many it holds.
Result<CollectionSchema> FetchSchema(Api& api, const std::string& collection,
                                     uint64_t* records = nullptr);

/// A schema in JSON, as people or `collections describe --json` write it: members that tell the
/// present state are passed over. `name`, where not empty, takes the place of its own.
Result<CollectionSchema> ReadSchemaText(const std::string& text, const std::string& name);

}  // namespace roost
