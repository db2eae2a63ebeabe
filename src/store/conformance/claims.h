#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/capabilities.h"

namespace roost {

/// One line of the table in docs/stores.md: something that a store claims or does not.
struct StoreClaim {
  std::string name;                   ///< "top_k and offset together"
  std::string value;                  ///< of this store: "yes", "no", "16,384"
  std::vector<std::string> shown_by;  ///< checks of the suite that try it, claimed or not
};

/// All that Capabilities can claim, for every store in the same order with the same names and
/// checks. What no check can show is not in it: zombie_horizon, for nobody can wait for a write
/// that never comes.
std::vector<StoreClaim> StoreClaims(const Capabilities& capabilities);
/// What the table calls the store: "Milvus 2.3.5".
std::string StoreTitle(const Capabilities& capabilities);

/// The table in docs/stores.md says exactly what the store claims; else what to do about it.
/// `page` is the file's text.
Status CheckDocumented(std::string_view page, const Capabilities& capabilities);
/// Claims and number of checks as JSON, out of which tools/stores_table.py makes the table.
std::string StoreClaimsJson(const Capabilities& capabilities);

}  // namespace roost
