#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/config.h"

namespace roost {

/// One key of the configuration: its name, its meaning, how it is read and shown.
struct ConfigKey {
  std::string name;  ///< "section.key"
  std::string help;
  std::function<Status(ServerConfig&, std::string_view)> set;
  std::function<std::string(const ServerConfig&)> show;
  bool secret = false;  ///< `show` hides parts, and what was given must not be repeated
};

const std::vector<ConfigKey>& ConfigTable();

}  // namespace roost
