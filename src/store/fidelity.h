#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace roost {

/// How well something of a collection is kept by a store, or read from one.
enum class Fidelity : uint8_t {
  kExact,         ///< as it is, in a type of the store's own
  kShadow,        ///< as it is, by help of another type or field
  kApproximated,  ///< not in every case as it is; the remark says when
  kImpossible,    ///< not at all
};
/// "exact", "exact by shadow field", "approximated", "impossible".
inline std::string_view FidelityName(Fidelity fidelity) {
  switch (fidelity) {
    case Fidelity::kExact:
      return "exact";
    case Fidelity::kShadow:
      return "exact by shadow field";
    case Fidelity::kApproximated:
      return "approximated";
    case Fidelity::kImpossible:
      return "impossible";
  }
  return "impossible";
}

/// What becomes of one field, or of something else that the collection has.
struct FidelityRow {
  std::string what;  ///< the field's name, or "key", "tenants", "nulls", "dynamic fields", …
  std::string from;  ///< type of the field where it is
  std::string to;    ///< name and type it gets
  Fidelity fidelity = Fidelity::kExact;
  std::string remark;  ///< what is done otherwise and what can be done about it; may be empty
};

}  // namespace roost
