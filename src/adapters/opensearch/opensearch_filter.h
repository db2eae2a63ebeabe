#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/filter.h"
#include "store/types.h"

namespace roost {

/// Filters as OpenSearch queries that match exactly where Matches() is true. Values and names of
/// users are JSON strings, nothing else is quoted into the text. Pure.

/// kInvalidArgument when the filter was made for another schema.
Status OsCheckFilter(const Filter& filter, const CollectionSchema& schema);

/// Fields with strings too long to be indexed whole; "$" is the dynamic field.
using OsCutFields = std::set<std::string, std::less<>>;

/// Fields whose patterns need to know whether their strings are whole: what to ask the index about
/// before OsCanPrint.
OsCutFields OsFieldsThatMustBeWhole(const Filter& filter, const CollectionSchema& schema);

/// Whether the query language can say the filter exactly. It cannot say arithmetic, comparisons of
/// two fields, patterns over strings that are cut in the index (`cut`), and very large conditions.
bool OsCanPrint(const Filter& filter, const OsCutFields& cut);

/// Precondition: OsCheckFilter and OsCanPrint said yes.
std::string OsPrintFilter(const Filter& filter, const CollectionSchema& schema);

/// A query that matches at least where the filter does: what can be said of it.
std::string OsPrintWider(const Filter& filter, const CollectionSchema& schema,
                         const OsCutFields& cut);

/// {"terms": …} for any number of values, given as JSON texts.
std::string OsTerms(std::string_view property, const std::vector<std::string>& values);

}  // namespace roost
