#pragma once

#include <string>
#include <string_view>

#include <boost/json/fwd.hpp>

#include "base/result.h"
#include "cli/table.h"

namespace roost {

/// A reply as a value. kInternal where it is no JSON.
Result<boost::json::value> ParseReply(std::string_view text);
/// The text of a member that is a string; empty where there is none.
std::string TextMember(const boost::json::value& object, std::string_view name);
/// The number of a member; 0 where there is none.
double NumberMember(const boost::json::value& object, std::string_view name);
/// A value as people read it: texts without quotes, vectors as "[0.1, 0.2, …] (384)".
std::string CellText(const boost::json::value& value);

/// Records side by side; a column for each member that any of them has.
Table RecordsTable(const boost::json::array& records);
/// One list of hits: rank, score, distance, id, then the fields.
Table HitsTable(const boost::json::array& hits, const std::string& key_field);

}  // namespace roost
