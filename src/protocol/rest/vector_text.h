#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/rest/json_body.h"
#include "store/types.h"

namespace roost::rest {

/// A vector of `field` from its JSON form (record_codec.h). Throws BodyError.
Vector ReadVector(std::string_view name, sj::value value, const VectorFieldSchema& field);
void AppendVector(std::string& out, const Vector& vector);

}  // namespace roost::rest
