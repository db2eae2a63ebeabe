#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "metadata/control_types.h"

namespace roost {

/// Opaque bytes; borrowed.
struct ControlBlob {
  std::string_view bytes;
};
/// A text for people that may hold any bytes; borrowed. What a database cannot keep as text is
/// replaced by "?".
struct ControlProse {
  std::string_view text;
};
/// A parameter of a statement. Texts and blobs are borrowed; uint64_t are stored as the int64_t
/// with the same bits.
using ControlValue =
    std::variant<std::monostate, int64_t, std::string_view, ControlBlob, ControlProse>;

inline ControlValue AsNumber(uint64_t value) { return static_cast<int64_t>(value); }

/// One statement in the words that SQLite and PostgreSQL share. Parameters are $1, $2, … in the
/// order of their first use.
struct ControlStatement {
  /// What must have happened, else the transaction fails.
  enum class Must : uint8_t { kAnything, kCreateDatabase, kDropDatabase };

  const char* sql;  ///< a constant
  std::vector<ControlValue> values;
  Must must = Must::kAnything;
};

/// The statements that carry a transaction out, in order. What they borrow lives until `visit`
/// returns. Stops at the first error.
Status ListStatements(const ControlTransaction& transaction,
                      const std::function<Status(const ControlStatement&)>& visit);
/// Whether the outcome of one of its statements must be looked at before it may be committed.
inline bool HasDemands(const ControlTransaction& transaction) {
  return !transaction.create_databases.empty() || !transaction.drop_databases.empty();
}
/// kAlreadyExists or kNotFound where a statement that had to change a row has changed none.
Status CheckDemand(const ControlStatement& statement, uint64_t changed_rows);

}  // namespace roost
