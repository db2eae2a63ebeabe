#include "server/config.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include "adapters/all.h"
#include "base/strings.h"
#include "server/config_table.h"

namespace roost {

namespace {

constexpr std::string_view kStorePrefix = "stores.";

struct Setting {
  std::string value;
  std::string origin;
};
using Settings = std::map<std::string, Setting>;  // by key

std::string EnvironmentName(std::string_view key) {
  std::string name = "ROOST_";
  for (const char c : key) {
    name.push_back(c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

bool Known(const std::string& key) {
  const auto& table = ConfigTable();
  return key.starts_with(kStorePrefix) ||
         std::any_of(table.begin(), table.end(), [&](const ConfigKey& k) { return k.name == key; });
}

Status ReadNode(const YAML::Node& node, const std::string& path, const std::string& origin,
                Settings& settings) {
  if (node.IsMap()) {
    for (const auto& member : node) {
      const auto name = member.first.as<std::string>();
      TRY(ReadNode(member.second, path.empty() ? name : path + "." + name, origin, settings));
    }
    return {};
  }
  if (!node.IsScalar() && !node.IsNull()) {
    return InvalidArgument(fmt::format("{}: \"{}\" must be a single value", origin, path));
  }
  if (!Known(path)) {
    return InvalidArgument(fmt::format(
        "{}: unknown key \"{}\"; `roost config keys` lists the known ones", origin, path));
  }
  settings[path] = {node.IsNull() ? std::string() : node.as<std::string>(), origin};
  return {};
}

Status ReadFile(const std::string& file, Settings& settings) {
  const std::string origin = "file " + file;
  try {
    const YAML::Node root = YAML::LoadFile(file);
    if (root.IsNull()) {
      return {};
    }
    if (!root.IsMap()) {
      return InvalidArgument(origin + ": must hold sections with keys, as `server: {port: 19530}`");
    }
    return ReadNode(root, "", origin, settings);
  } catch (const YAML::BadFile&) {
    return NotFound(fmt::format("the configuration file \"{}\" cannot be read", file));
  } catch (const YAML::Exception& error) {
    return InvalidArgument(fmt::format("{}: {}", origin, error.what()));
  }
}

void ReadVariables(const std::map<std::string, std::string>& environment, Settings& settings) {
  for (const ConfigKey& key : ConfigTable()) {
    const std::string name = EnvironmentName(key.name);
    if (const auto found = environment.find(name); found != environment.end()) {
      settings[key.name] = {found->second, "environment " + name};
    }
  }
  for (const auto& [name, value] : environment) {
    if (name.starts_with("ROOST_STORES_") && name.size() > 13) {
      std::string store = name.substr(13);
      std::transform(store.begin(), store.end(), store.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      settings[std::string(kStorePrefix) + store] = {value, "environment " + name};
    }
  }
}

Status Apply(const Settings& settings, LoadedConfig& loaded) {
  for (const ConfigKey& key : ConfigTable()) {
    std::string origin = "default";
    if (const auto found = settings.find(key.name); found != settings.end()) {
      const Status status = key.set(loaded.config, found->second.value);
      if (!status.ok()) {
        return InvalidArgument(fmt::format("{} ({}): \"{}\" {}", key.name, found->second.origin,
                                           key.secret ? "***" : found->second.value,
                                           status.error().message));
      }
      origin = found->second.origin;
    }
    loaded.values.push_back({key.name, key.show(loaded.config), origin, key.help});
  }
  for (const auto& [key, setting] : settings) {
    if (key.starts_with(kStorePrefix)) {
      loaded.config.stores[key.substr(kStorePrefix.size())] = setting.value;
      loaded.values.push_back({key, HideSecrets(setting.value), setting.origin, "a store"});
    }
  }
  return {};
}

Status CheckStores(const ServerConfig& config) {
  for (const auto& [name, address] : config.stores) {
    if (!KnowsAddress(address)) {
      return InvalidArgument(fmt::format("store \"{}\": \"{}\" is no address Roost knows; write {}",
                                         name, HideSecrets(address), kAddressForms));
    }
  }
  if (config.default_store != "embedded" && !config.stores.contains(config.default_store)) {
    return InvalidArgument(
        fmt::format("default_store: there is no store \"{}\"", config.default_store));
  }
  return {};
}

}  // namespace

std::string HideSecrets(std::string_view address) {
  std::string shown(address);
  const size_t scheme = shown.find("://");
  if (scheme == std::string::npos) {
    return shown;
  }
  const size_t host = shown.find_last_of('@');
  const size_t colon = shown.find(':', scheme + 3);
  if (host != std::string::npos && colon < host) {
    shown.replace(colon + 1, host - colon - 1, "***");
  }
  // Values of options whose name says that they are secret.
  for (size_t at = shown.find('?'); at != std::string::npos; at = shown.find('&', at + 1)) {
    const size_t equals = shown.find('=', at);
    const size_t end = std::min(shown.find('&', at + 1), shown.size());
    const std::string name = ToLower(shown.substr(at + 1, std::min(equals, end) - at - 1));
    constexpr std::array<std::string_view, 4> kSecret = {"password", "token", "api_key", "secret"};
    const bool secret = std::any_of(kSecret.begin(), kSecret.end(), [&](std::string_view word) {
      return name.find(word) != std::string::npos;
    });
    if (secret && equals < end) {
      shown.replace(equals + 1, end - equals - 1, "***");
    }
  }
  return shown;
}

std::vector<EffectiveValue> ConfigKeys() {
  std::vector<EffectiveValue> keys;
  const ServerConfig defaults;
  for (const ConfigKey& key : ConfigTable()) {
    keys.push_back({key.name, key.show(defaults), EnvironmentName(key.name), key.help});
  }
  keys.push_back({"stores.NAME", "", "ROOST_STORES_NAME",
                  "address of a further store: " + std::string(kAddressForms)});
  return keys;
}

Result<LoadedConfig> LoadConfig(const ConfigFlags& flags,
                                const std::map<std::string, std::string>& environment) {
  Settings settings;
  std::string file = flags.file;
  if (file.empty() && ::access("roost.yaml", R_OK) == 0) {
    file = "roost.yaml";
  }
  if (!file.empty()) {
    TRY(ReadFile(file, settings));
  }
  ReadVariables(environment, settings);
  for (const auto& [key, value] : flags.values) {
    if (!Known(key)) {
      return InvalidArgument(
          fmt::format("unknown key \"{}\"; `roost config keys` lists the known ones", key));
    }
    settings[key] = {value, "flag"};
  }
  LoadedConfig loaded;
  TRY(Apply(settings, loaded));
  TRY(CheckStores(loaded.config));
  return loaded;
}

std::map<std::string, std::string> ReadEnvironment() {
  std::map<std::string, std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

}  // namespace roost
