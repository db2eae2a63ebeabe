#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapters/backends.h"
#include "base/result.h"
#include "store/preparation.h"

namespace roost {

/// What the command line of `roost bootstrap` says; empty: not given.
struct BootstrapOptions {
  std::vector<std::string> stores;  ///< addresses
  std::string backend;
  AddressParts parts;
  std::string collection;
  std::string index;
  std::string dimension;
  std::string metric;
  bool single_tenant = false;
  std::vector<std::string> tenants;
  std::string alias;
  std::optional<CollectionSchema> schema;  ///< of --schema
};

/// What is to be prepared, and where.
struct BootstrapSettings {
  std::vector<std::string> addresses;  ///< may hold secrets; "embedded:FOLDER" too
  PreparationRequest request;
};

inline constexpr std::string_view kEmbeddedScheme = "embedded:";

/// Brings options and environment (`environment` as ReadEnvironment() gives it) together; options
/// win. docs/bootstrap.md lists both. kInvalidArgument names what is missing or wrong, without
/// secrets.
Result<BootstrapSettings> ReadBootstrapSettings(
    const BootstrapOptions& options, const std::map<std::string, std::string>& environment);

}  // namespace roost
