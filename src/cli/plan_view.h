#pragma once

#include <string>

#include <boost/json/fwd.hpp>

#include "base/result.h"
#include "cli/session.h"
#include "cli/table.h"

namespace roost {

/// The plan of a move (POST /v1/migrations?dry_run=true) for people: what is kept how, steps,
/// notes, the mapping where it is not the schema as it is.
void PrintPlan(Session& session, const boost::json::value& plan);
/// The rows of a report on fidelity, of a plan or of an adoption.
Table FidelityTable(const boost::json::array& rows);
bool PlanIsRefused(const boost::json::value& plan);

/// Writes the plan's mapping, a member or element a line, as a file that can be edited and given
/// back. kInvalidArgument when the plan was refused before there was one.
Status SaveMapping(const boost::json::value& plan, const std::string& path);

/// JSON with two spaces for each level; what fits into `width` columns stays in one line.
std::string PrettyJson(const boost::json::value& value, size_t width = 100);

}  // namespace roost
