#pragma once

#include <string>
#include <vector>

#include <boost/json/fwd.hpp>

#include "cli/table.h"

namespace roost {

/// A move's JSON (GET /v1/migrations/{id}) for people.

/// Nothing more will happen without a command: it is final, or at its goal with that state's work
/// done.
bool MoveRests(const boost::json::value& move);

/// A few lines that are redrawn while it goes on: states, bar, rate, time left, what it waits for.
std::vector<std::string> MoveScreen(const boost::json::value& move, size_t width);

/// One line that changes only when something worth a line changes; numbers in steps of a tenth.
std::string MoveLine(const boost::json::value& move);

Table MovesTable(const boost::json::array& moves);

}  // namespace roost
