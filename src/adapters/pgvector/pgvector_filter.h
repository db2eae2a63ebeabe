#pragma once

#include <string>

#include "adapters/pgvector/pgvector_table.h"
#include "base/result.h"
#include "net/pg_codec.h"
#include "store/filter.h"

namespace roost {

/// Filters as SQL conditions over the table under the alias `t`: never null, true exactly where
/// Matches() is. Values and names out of JSON are bound as parameters, nothing is quoted into the
/// text. Pure.

/// kInvalidArgument when the filter was made for another schema than the table's.
Status CheckFilter(const Filter& filter, const PgTable& table);

/// Whether SQL can say the filter exactly. It cannot say arithmetic on doubles or JSON (its
/// overflows are errors), comparisons of JSON with anything but a literal, and JSON that is not
/// canonical where it lies.
bool CanPrint(const Filter& filter, const PgTable& table);

/// Precondition: CheckFilter and CanPrint said yes.
std::string PrintSql(const Filter& filter, const PgTable& table, PgParams& params);

/// A condition that holds at least where the filter does: what can be said of it.
std::string PrintWider(const Filter& filter, const PgTable& table, PgParams& params);

/// True where the filter can only match records with one of some keys, so that the key's index
/// should be used.
bool NamesKeys(const Filter& filter);

}  // namespace roost
