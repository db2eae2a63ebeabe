#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// A filter over records: Milvus' expression grammar, parsed once, typed against the schema.
///
/// Meaning (two-valued, the same on every store):
/// - A comparison with a null or absent field, or between JSON of unlike types, is false.
/// - `a != b` is `not (a == b)` and `a not in s` is `not (a in s)`: true where a is null or absent.
/// - `not` turns false into true without exception. Strings compare by bytes; NaN equals nothing.
/// - Numbers compare by their exact values: 2^53 + 1 is not the double 2^53. Booleans, arrays and
///   JSON objects have no order: `<`, `<=`, `>`, `>=` between them are false.
/// - Arrays are equal when their elements are, by position; objects when their members are.
/// - Arithmetic of integers is that of int64, `/` and `%` round to zero; with a double it is
/// double.
///   What has no finite result (overflow, division by zero, `%` of doubles, no number) is null.
/// - Unknown names are members of the dynamic field where the collection has one, else an error.
enum class FilterOp : uint8_t {
  kTrue,              ///< matches all
  kFalse,             ///< matches nothing
  kAnd,               ///< children
  kOr,                ///< children
  kNot,               ///< children[0]
  kCompare,           ///< left ⟨comparison⟩ right
  kIn,                ///< left equals one of values
  kLike,              ///< left like pattern: `%` any run, `_` one character (UTF-8), `\` escapes
  kIsNull,            ///< left is null or absent
  kExists,            ///< left, a JSON path, is there and not null
  kArrayContainsAll,  ///< left, an array field or JSON array, holds every one of values
  kArrayContainsAny,  ///< at least one of values
  kTextMatch,         ///< left, a text field, holds at least one word of values[0]
};
enum class Comparison : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };

/// Something with a value for a record.
struct Operand {
  enum class Kind : uint8_t {
    kLiteral,
    kKey,  ///< the record's key
    kTenant,
    kField,         ///< declared scalar or whole array
    kJsonPath,      ///< declared JSON field or dynamic field (name empty), then path
    kArrayLength,   ///< array_length(name), of an array field or, with type kJson, of a JSON path
    kArithmetic,    ///< children[0] ⟨op⟩ children[1]
    kArrayElement,  ///< name[path[0]], of an array field; null beyond its end
  };
  Kind kind = Kind::kLiteral;
  Value literal;
  std::string name;
  /// Of a field; of an array's element; kJson of a JSON path; kInt64, kDouble or kJson (known only
  /// with the record) of arithmetic.
  DataType type = DataType::kInt64;
  DataType element_type = DataType::kInt64;              ///< of an array field
  std::vector<std::variant<std::string, int64_t>> path;  ///< members and array positions from 0
  char arithmetic = '+';                                 ///< + - * / %
  std::vector<Operand> children;
};

struct Filter;
using FilterPtr = std::shared_ptr<const Filter>;

/// One node. Immutable once built; share freely between threads.
///
/// What the parser promises to those who translate filters: `left` holds a field (a literal alone
/// is only ever `right`; constants are folded). Literals have the type of the field they meet:
/// against kFloat they are doubles rounded to float32, against kTimestamp microseconds, against
/// kUuid lower case. A literal may lie outside the field's range (an INT8 compared with 300). `in`
/// without values is folded. Strings are valid UTF-8 and may hold "\0".
struct Filter {
  FilterOp op = FilterOp::kTrue;
  std::vector<FilterPtr> children;
  Comparison comparison = Comparison::kEq;
  Operand left;
  Operand right;
  std::vector<Value> values;
  std::string pattern;
};
bool SameFilter(const Filter& a, const Filter& b);

/// Values for `{name}` in a filter.
using FilterParameters = std::map<std::string, Value, std::less<>>;

struct FilterLimits {
  size_t max_bytes = 1 << 20;
  size_t max_depth = 100;
  size_t max_nodes = 100'000;  ///< literals of `in` lists included
};

/// Parses `text` for records of `schema`; empty text matches all (null). kInvalidArgument with the
/// position (line:column from 1), what was found, what was expected, and the text around it. Names
/// that are words of the grammar are written in backticks: `` `in` == 5 ``.
Result<FilterPtr> ParseFilter(std::string_view text, const CollectionSchema& schema,
                              const FilterParameters& parameters = {},
                              const FilterLimits& limits = {});

/// The reference meaning. A null filter matches.
bool Matches(const Filter* filter, const Record& record);

/// As text that parses to an equal tree.
std::string PrintFilter(const Filter& filter, const CollectionSchema& schema);

/// Both must hold; either may be null.
FilterPtr AndFilters(FilterPtr a, FilterPtr b);
/// The filter that keeps one tenant's records.
FilterPtr TenantFilter(std::string tenant);

}  // namespace roost
