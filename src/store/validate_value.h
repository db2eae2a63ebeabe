#pragma once

#include <string_view>

#include "base/result.h"
#include "store/capabilities.h"
#include "store/types.h"

namespace roost {

/// Checks a value that is not null against its field and brings it into the stored form
/// (validate.h). Errors name the field. JSON `null` becomes null.
Status NormalizeValue(const FieldSchema& field, const Capabilities& capabilities, Value& value);

/// Checks a vector against its field: type, dimension, finite elements, no zero vector with cosine
/// unless the store takes it, well-formed sparse entries. Sparse entries are sorted.
Status NormalizeVector(const VectorFieldSchema& field, const Capabilities& capabilities,
                       Vector& vector);

/// Valid UTF-8, and no "\0" where the store cannot keep it. `what` begins the error.
Status CheckString(std::string_view text, const Capabilities& capabilities, std::string_view what);

/// A canonical object for the dynamic field or empty; checks what JSON needs of the store.
Result<std::string> NormalizeDynamic(std::string_view text, const Capabilities& capabilities);

/// "a string", "an integer": what a message calls the value.
std::string_view ValueKind(const Value& value);

}  // namespace roost
