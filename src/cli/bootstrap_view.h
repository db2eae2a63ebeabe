#pragma once

#include <string>
#include <vector>

#include "store/preparation.h"

namespace roost {

struct BootstrapLook {
  bool dry_run = false;
  bool color = false;
};

/// Stores with their steps, for people, and what came of it in the last line.
std::vector<std::string> BootstrapLines(const std::vector<PreparedStore>& stores,
                                        const BootstrapLook& look);
/// The same for programs: {"dry_run", "outcome": "nothing to do"|"would be made"|"made"|"refused"|
/// "incomplete", "stores": [{"address", "version", "notes", "steps": [{"kind", "name", "state",
/// "differences", "advice"}]}]}.
std::string BootstrapJson(const std::vector<PreparedStore>& stores, bool dry_run);

}  // namespace roost
