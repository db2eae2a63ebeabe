#include "server/bootstrap_settings.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapters/all.h"
#include "base/strings.h"
#include "server/config.h"

namespace roost {

namespace {

using Environment = std::map<std::string, std::string>;

constexpr std::string_view kBackendVariable = "ML_VECTOR_BACKEND";
constexpr std::string_view kDimensionVariable = "ML_VECTOR_DIMENSION";
constexpr std::string_view kEmbedded = "embedded";
constexpr uint32_t kDefaultDimension = 768;
constexpr uint64_t kMaxDimension = 32'768;

/// Empty where it is not set, or there is no such variable.
std::string Variable(const Environment& environment, std::string_view name) {
  const auto found = name.empty() ? environment.end() : environment.find(std::string(name));
  return found == environment.end() ? std::string() : std::string(Trim(found->second));
}

/// true and false, as settings of applications write them.
std::string Truth(const std::string& text) {
  const std::string lower = ToLower(text);
  if (lower == "true" || lower == "1" || lower == "yes" || lower == "on") {
    return "true";
  }
  if (lower == "false" || lower == "0" || lower == "no" || lower == "off") {
    return "false";
  }
  return text;
}

bool AnyPart(const AddressParts& parts) {
  return !(parts.hosts.empty() && parts.port.empty() && parts.database.empty() &&
           parts.user.empty() && parts.password.empty() && parts.token.empty() &&
           parts.verify.empty() && parts.ca_file.empty());
}

std::string BackendNames() {
  std::string names(kEmbedded);
  for (const Backend& backend : Backends()) {
    names += ", " + std::string(backend.name);
  }
  return names;
}

/// Those whose hosts the environment names.
Result<std::string> GuessBackend(const Environment& environment) {
  std::vector<std::string> found;
  for (const Backend& backend : Backends()) {
    if (!Variable(environment, backend.variables.hosts).empty()) {
      found.emplace_back(backend.name);
    }
  }
  if (found.size() == 1) {
    return found.front();
  }
  return InvalidArgument(
      found.empty()
          ? fmt::format("say which store: --store ADDRESS ({}; or {}FOLDER), or --backend ({}) "
                        "with --hosts",
                        kAddressForms, kEmbeddedScheme, BackendNames())
          : fmt::format("the environment names the hosts of {}: say which with --backend or {}",
                        Join(found, ", "), kBackendVariable));
}

Result<std::string> AddressOf(const Backend& backend, const AddressParts& options,
                              const Environment& environment) {
  const Backend::Variables& names = backend.variables;
  const auto either = [&](const std::string& option, std::string_view variable) {
    return option.empty() ? Variable(environment, variable) : option;
  };
  AddressParts parts;
  parts.hosts = either(options.hosts, names.hosts);
  // The environment's port belongs to the environment's hosts.
  parts.port = options.hosts.empty() ? either(options.port, names.port) : options.port;
  parts.database = either(options.database, names.database);
  parts.user = either(options.user, names.user);
  parts.password = either(options.password, names.password);
  parts.token = either(options.token, names.token);
  parts.verify = Truth(either(options.verify, names.verify));
  parts.ca_file = options.ca_file;
  if (parts.hosts.empty()) {
    return InvalidArgument(
        fmt::format("where is the {} store? Give --hosts, or set {}", backend.name, names.hosts));
  }
  return MakeAddress(backend, parts);
}

Result<std::vector<std::string>> AddressesOfBackend(const std::string& name,
                                                    const AddressParts& parts,
                                                    const Environment& environment) {
  if (name == kEmbedded) {
    if (AnyPart(parts)) {
      return InvalidArgument(
          "the embedded store has no hosts and no credentials; another folder "
          "is said as --store embedded:FOLDER");
    }
    return std::vector{std::string(kEmbeddedScheme) + ServerConfig().data_folder};
  }
  const Backend* backend = FindBackend(name);
  if (backend == nullptr) {
    return InvalidArgument(
        fmt::format("there is no backend \"{}\"; known are {}", name, BackendNames()));
  }
  if (backend->stands_for.empty()) {
    return std::vector{TRY(AddressOf(*backend, parts, environment))};
  }
  if (AnyPart(parts)) {
    return InvalidArgument(fmt::format(
        "backend {} is several stores, so hosts and credentials of each come from the environment; "
        "or give --store ADDRESS once for each",
        name));
  }
  std::vector<std::string> addresses;
  for (const std::string_view each : backend->stands_for) {
    addresses.push_back(TRY(AddressOf(*FindBackend(each), parts, environment)));
  }
  return addresses;
}

Result<std::vector<std::string>> Addresses(const BootstrapOptions& options,
                                           const Environment& environment) {
  if (options.stores.empty()) {
    std::string name =
        options.backend.empty() ? Variable(environment, kBackendVariable) : options.backend;
    if (name.empty()) {
      name = TRY(GuessBackend(environment));
    }
    return AddressesOfBackend(ToLower(name), options.parts, environment);
  }
  if (!options.backend.empty() || AnyPart(options.parts)) {
    return InvalidArgument(
        "--store says everything about a store; leave out --backend, hosts and credentials, or "
        "--store");
  }
  for (const std::string& store : options.stores) {
    if (!KnowsAddress(store) && !store.starts_with(kEmbeddedScheme)) {
      return InvalidArgument(fmt::format("\"{}\" is no address Roost knows; write {}, or {}FOLDER",
                                         HideSecrets(store), kAddressForms, kEmbeddedScheme));
    }
  }
  return options.stores;
}

/// How the applications whose settings these are call the index in the stores.
std::string IndexName(const BootstrapOptions& options, const Environment& environment,
                      const std::vector<std::string>& addresses) {
  if (!options.index.empty()) {
    return options.index;
  }
  for (const std::string& address : addresses) {
    const Backend* backend = BackendOf(address);
    const std::string index =
        backend == nullptr ? "" : Variable(environment, backend->variables.index);
    if (!index.empty()) {
      return index;
    }
  }
  return {};
}

/// An index's name as a collection's: "ml-vectors" is "ml_vectors".
std::string CollectionOf(const std::string& index) {
  std::string name = index;
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name;
}

Result<CollectionSchema> Schema(const BootstrapOptions& options, const Environment& environment,
                                const std::string& index) {
  std::string name = options.collection;
  if (options.schema) {
    if (!options.dimension.empty() || !options.metric.empty() || options.single_tenant) {
      return InvalidArgument(
          "--schema says everything about the collection; leave out --dimension, --metric and "
          "--single-tenant");
    }
    CollectionSchema schema = *options.schema;
    schema.name = name.empty() ? schema.name : name;
    schema.name = schema.name.empty() ? CollectionOf(index) : schema.name;
    return schema;
  }
  name = name.empty() ? CollectionOf(index) : name;
  if (name.empty()) {
    return InvalidArgument("how shall the collection be called? Give --collection or --index");
  }
  const bool said = !options.dimension.empty();
  const std::string text = said ? options.dimension : Variable(environment, kDimensionVariable);
  uint64_t dimension = kDefaultDimension;
  if (!text.empty()) {
    const auto number = ParseUint64(text);
    if (!number.ok() || *number < 1 || *number > kMaxDimension) {
      return InvalidArgument(fmt::format("{} is \"{}\"; a dimension is a number from 1 to {}",
                                         said ? "--dimension" : kDimensionVariable, text,
                                         kMaxDimension));
    }
    dimension = *number;
  }
  const Metric metric = options.metric.empty() ? Metric::kCosine : TRY(ParseMetric(options.metric));
  return EntityRecordSchema(name, static_cast<uint32_t>(dimension), metric, !options.single_tenant);
}

}  // namespace

Result<BootstrapSettings> ReadBootstrapSettings(const BootstrapOptions& options,
                                                const Environment& environment) {
  BootstrapSettings settings;
  settings.addresses = TRY(Addresses(options, environment));
  PreparationRequest& request = settings.request;
  request.index = IndexName(options, environment, settings.addresses);
  request.schema = TRY(Schema(options, environment, request.index));
  request.tenants = options.tenants;
  request.alias = options.alias;
  return settings;
}

}  // namespace roost
