#pragma once

#include <string>
#include <string_view>

#include "protocol/rest/json_body.h"
#include "store/types.h"

namespace roost::rest {

/// A value of a declared field from JSON. Throws BodyError; ranges and lengths are checked later,
/// by ValidateRecords.
Value ReadScalar(std::string_view name, sj::value value, const FieldSchema& field);
/// A value for `{name}` in a filter: scalars and arrays of scalars. Throws BodyError.
Value ReadParameter(std::string_view name, sj::value value);
/// An integer or a string, as the collection's keys are. Throws BodyError.
Key ReadKey(std::string_view name, sj::value value, KeyType type);

}  // namespace roost::rest
