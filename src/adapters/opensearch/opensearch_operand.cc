#include "adapters/opensearch/opensearch_operand.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/opensearch/opensearch_codec.h"
#include "adapters/opensearch/opensearch_filter.h"
#include "base/json.h"
#include "store/tokenizer.h"

namespace roost {
namespace {

using Kind = Operand::Kind;

constexpr size_t kMaxPatternBytes = 200;
constexpr size_t kMaxPatternRuns = 8;

std::string JsonDouble(double number) {
  std::string out;
  AppendJsonDouble(out, number);
  return out;
}

/// The property that holds the operand's values as they are.
std::string PropertyOf(const Operand& operand) {
  switch (operand.kind) {
    case Kind::kKey:
      return std::string(kOsKey);
    case Kind::kTenant:
      return std::string(kOsTenant);
    default:
      return operand.name;
  }
}

/// {"range":{…}} with JSON texts as bounds; an empty one is open.
std::string Range(std::string_view property, std::string_view low, bool with_low,
                  std::string_view high, bool with_high) {
  std::string out = R"({"range":{)" + JsonString(property) + ":{";
  if (!low.empty()) {
    out += with_low ? R"("gte":)" : R"("gt":)";
    out += low;
  }
  if (!high.empty()) {
    out += low.empty() ? "" : ",";
    out += with_high ? R"("lte":)" : R"("lt":)";
    out += high;
  }
  return out + "}}}";
}

bool IsLess(Comparison comparison) {
  return comparison == Comparison::kLt || comparison == Comparison::kLe;
}

std::pair<int64_t, int64_t> LimitsOf(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return {-128, 127};
    case DataType::kInt16:
      return {-32'768, 32'767};
    case DataType::kInt32:
      return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    default:
      return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  }
}

/// Whole numbers that a comparison lets through; nothing where there are none.
std::optional<std::pair<int64_t, int64_t>> IntegersWhere(Comparison comparison,
                                                         const Value& literal) {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();
  int64_t bound = 0;
  bool exact = true;  // else the literal lies between bound and bound + 1
  if (const auto* integer = std::get_if<int64_t>(&literal)) {
    bound = *integer;
  } else if (const auto* number = std::get_if<double>(&literal)) {
    if (std::isnan(*number)) {
      return std::nullopt;
    }
    if (*number >= 0x1p63 || *number < -0x1p63) {
      const bool all = comparison != Comparison::kEq && IsLess(comparison) == (*number > 0);
      return all ? std::optional(std::pair(kLow, kHigh)) : std::nullopt;
    }
    bound = static_cast<int64_t>(std::floor(*number));
    exact = static_cast<double>(bound) == *number;
  } else {
    return std::nullopt;
  }
  switch (comparison) {
    case Comparison::kEq:
      return exact ? std::optional(std::pair(bound, bound)) : std::nullopt;
    case Comparison::kLt:
      if (exact && bound == kLow) {
        return std::nullopt;
      }
      return std::pair(kLow, exact ? bound - 1 : bound);
    case Comparison::kLe:
      return std::pair(kLow, bound);
    case Comparison::kGe:
      if (exact) {
        return std::pair(bound, kHigh);
      }
      [[fallthrough]];
    default:
      return bound == kHigh ? std::nullopt : std::optional(std::pair(bound + 1, kHigh));
  }
}

std::string CompareInteger(const Operand& left, Comparison comparison, const Value& literal) {
  const auto wanted = IntegersWhere(comparison, literal);
  if (!wanted) {
    return std::string(kOsMatchNone);
  }
  const auto [least, most] = LimitsOf(left.type);
  const int64_t low = std::max(wanted->first, least);
  const int64_t high = std::min(wanted->second, most);
  if (low > high) {
    return std::string(kOsMatchNone);
  }
  if (low == least && high == most) {
    return OsPresent(left);
  }
  if (low == high) {
    return OsTerm(PropertyOf(left), std::to_string(low));
  }
  return Range(PropertyOf(left), low == least ? "" : std::to_string(low), true,
               high == most ? "" : std::to_string(high), true);
}

/// The nearest number of the type at or below (above) `number`.
double Below(DataType type, double number) {
  if (type != DataType::kFloat) {
    return number;
  }
  const auto near = static_cast<float>(number);
  return static_cast<double>(near) > number
             ? std::nextafterf(near, -std::numeric_limits<float>::infinity())
             : near;
}
double Above(DataType type, double number) { return -Below(type, -number); }

double Next(DataType type, double number, double towards) {
  return type == DataType::kFloat
             ? std::nextafterf(static_cast<float>(number), static_cast<float>(towards))
             : std::nextafter(number, towards);
}

/// Numbers of the type in [low, high]: zeros of either sign are equal, which the index holds apart.
std::string Floating(const Operand& left, double low, double high) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double most = left.type == DataType::kFloat ? std::numeric_limits<float>::max()
                                                    : std::numeric_limits<double>::max();
  if (std::isnan(low) || std::isnan(high) || low > high || low == kInfinity || high == -kInfinity ||
      low > most || high < -most) {
    return std::string(kOsMatchNone);
  }
  const bool open_low = low < -most;
  const bool open_high = high > most;
  if (open_low && open_high) {
    return OsPresent(left);
  }
  const std::string from = low == 0 ? "-0.0" : JsonDouble(low);
  const std::string to = high == 0 ? "0.0" : JsonDouble(high);
  return Range(PropertyOf(left), open_low ? "" : from, true, open_high ? "" : to, true);
}

std::string CompareFloating(const Operand& left, Comparison comparison, const Value& literal) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  // The literal lies in [floor, ceiling], both numbers of the type.
  double floor = 0;
  double ceiling = 0;
  if (const auto* number = std::get_if<double>(&literal)) {
    if (std::isnan(*number)) {
      return std::string(kOsMatchNone);
    }
    floor = Below(left.type, *number);
    ceiling = Above(left.type, *number);
  } else if (const auto* integer = std::get_if<int64_t>(&literal)) {
    const auto near = static_cast<double>(*integer);
    const bool high = near >= 0x1p63 || static_cast<int64_t>(near) > *integer;
    const bool low = !high && static_cast<int64_t>(near) < *integer;
    floor = Below(left.type, high ? std::nextafter(near, -kInfinity) : near);
    ceiling = Above(left.type, low ? std::nextafter(near, kInfinity) : near);
  } else {
    return std::string(kOsMatchNone);
  }
  const bool exact = floor == ceiling;
  switch (comparison) {
    case Comparison::kEq:
      return exact ? Floating(left, floor, ceiling) : std::string(kOsMatchNone);
    case Comparison::kLt:
      return Floating(left, -kInfinity, exact ? Next(left.type, floor, -kInfinity) : floor);
    case Comparison::kLe:
      return Floating(left, -kInfinity, floor);
    case Comparison::kGe:
      return Floating(left, ceiling, kInfinity);
    default:
      return Floating(left, exact ? Next(left.type, ceiling, kInfinity) : ceiling, kInfinity);
  }
}

std::string CompareText(const Operand& left, Comparison comparison, const std::string& text) {
  const std::string property = PropertyOf(left);
  const std::string literal = JsonString(OsIndexedString(text));
  switch (comparison) {
    case Comparison::kEq:
      return OsTerm(property, literal);
    case Comparison::kLt:
    case Comparison::kLe:
      return Range(property, "", true, literal, comparison == Comparison::kLe);
    default:
      return Range(property, literal, comparison == Comparison::kGe, "", true);
  }
}

/// Words between two: both begin with the path, so that other paths' words lie outside.
std::string TokenRange(const std::string& low, bool with_low, const std::string& high,
                       bool with_high) {
  return Range(kOsTokens, JsonString(low), with_low, JsonString(high), with_high);
}

std::string CompareTokens(const OsPath& path, Comparison comparison, const Value& literal) {
  if (comparison == Comparison::kEq) {
    return literal.is_null() ? std::string(kOsMatchNone)
                             : OsTerm(kOsTokens, JsonString(path.Of(literal)));
  }
  char kind = 'n';
  if (const auto* number = std::get_if<double>(&literal);
      number != nullptr && std::isnan(*number)) {
    return std::string(kOsMatchNone);
  }
  if (std::holds_alternative<std::string>(literal)) {
    kind = 's';
  } else if (!std::holds_alternative<int64_t>(literal) &&
             !std::holds_alternative<double>(literal)) {
    return std::string(kOsMatchNone);
  }
  const std::string word = path.Of(literal);
  if (IsLess(comparison)) {
    return TokenRange(path.Kind(kind), true, word, comparison == Comparison::kLe);
  }
  return TokenRange(word, comparison == Comparison::kGe, path.Kind(static_cast<char>(kind + 1)),
                    false);
}

std::string CompareLength(const OsPath& path, Comparison comparison, const Value& literal) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto wanted = IntegersWhere(comparison, literal);
  if (!wanted) {
    return std::string(kOsMatchNone);
  }
  const int64_t low = std::max<int64_t>(wanted->first, 0);
  const int64_t high = std::min(wanted->second, kMost);
  if (low > high) {
    return std::string(kOsMatchNone);
  }
  return TokenRange(path.Length(static_cast<size_t>(low)), true,
                    path.Length(static_cast<size_t>(high)), true);
}

/// The pattern of `like` as one of a wildcard query; `escape` for the text before it.
void AppendEscaped(std::string& out, char c) {
  if (c == '*' || c == '?' || c == '\\') {
    out += '\\';
  }
  out += c;
}

std::string Wildcard(std::string_view before, std::string_view pattern) {
  std::string out;
  for (const char c : before) {
    AppendEscaped(out, c);
  }
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%') {
      out += '*';
    } else if (pattern[i] == '_') {
      out += '?';
    } else {
      i += pattern[i] == '\\' && i + 1 < pattern.size() ? 1 : 0;
      AppendEscaped(out, pattern[i]);
    }
  }
  return out;
}

std::string Prefix(std::string_view property, std::string_view text) {
  return R"({"prefix":{)" + JsonString(property) + R"(:{"value":)" + JsonString(text) + "}}}";
}

OsPath LengthPath(const Operand& operand) { return OsPathOf(operand); }

}  // namespace

std::string OsNot(const std::string& query) { return R"({"bool":{"must_not":[)" + query + "]}}"; }

std::string OsTerm(std::string_view property, std::string_view json) {
  return R"({"term":{)" + JsonString(property) + ":" + std::string(json) + "}}";
}

bool OsHasProperty(const Operand& operand) {
  return operand.kind != Kind::kLiteral && operand.kind != Kind::kArithmetic;
}

bool OsIsTokenised(const Operand& operand) {
  return operand.kind == Kind::kJsonPath || operand.kind == Kind::kArrayElement ||
         operand.kind == Kind::kArrayLength || operand.type == DataType::kArray ||
         operand.type == DataType::kJson;
}

std::optional<std::string> OsPrefixOf(std::string_view pattern) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '_') {
      return std::nullopt;
    }
    if (pattern[i] == '%') {
      return pattern.find_first_not_of('%', i) == std::string_view::npos ? std::optional(text)
                                                                         : std::nullopt;
    }
    i += pattern[i] == '\\' && i + 1 < pattern.size() ? 1 : 0;
    text += pattern[i];
  }
  return std::nullopt;
}

bool OsCanLike(std::string_view pattern) {
  return pattern.size() <= kMaxPatternBytes &&
         static_cast<size_t>(std::count(pattern.begin(), pattern.end(), '%')) <= kMaxPatternRuns;
}

bool OsIsComparable(const Value& literal) {
  const auto* text = std::get_if<std::string>(&literal);
  return text == nullptr || text->size() <= kOsComparableBytes;
}

std::string OsPresent(const Operand& left) {
  if (left.kind == Kind::kKey || left.kind == Kind::kTenant) {
    return std::string(kOsMatchAll);
  }
  if (left.kind == Kind::kArrayLength) {
    return CompareLength(LengthPath(left), Comparison::kGe, int64_t{0});
  }
  if (OsIsTokenised(left)) {
    return OsTerm(kOsTokens, JsonString(OsPathOf(left).Present()));
  }
  return R"({"exists":{"field":)" + JsonString(PropertyOf(left)) + "}}";
}

std::string OsCompare(const Operand& left, Comparison comparison, const Value& literal) {
  if (literal.is_null()) {
    return std::string(kOsMatchNone);
  }
  if (left.kind == Kind::kArrayLength) {
    return CompareLength(LengthPath(left), comparison, literal);
  }
  if (OsIsTokenised(left)) {
    return CompareTokens(OsPathOf(left), comparison, literal);
  }
  switch (left.kind == Kind::kTenant ? DataType::kVarChar : left.type) {
    case DataType::kBool:
      return std::holds_alternative<bool>(literal) && comparison == Comparison::kEq
                 ? OsTerm(PropertyOf(left), std::get<bool>(literal) ? "true" : "false")
                 : std::string(kOsMatchNone);
    case DataType::kFloat:
    case DataType::kDouble:
      return CompareFloating(left, comparison, literal);
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return std::holds_alternative<std::string>(literal)
                 ? CompareText(left, comparison, std::get<std::string>(literal))
                 : std::string(kOsMatchNone);
    default:
      return CompareInteger(left, comparison, literal);
  }
}

std::string OsIn(const Operand& left, const Array& values) {
  std::vector<std::string> terms;
  std::string others;
  const bool tokenised = OsIsTokenised(left) && left.kind != Kind::kArrayLength;
  for (const Value& value : values) {
    const std::string query = OsCompare(left, Comparison::kEq, value);
    constexpr std::string_view kTerm = R"({"term":{)";
    if (query.starts_with(kTerm)) {
      // {"term":{"property":value}}
      const std::string property =
          JsonString(tokenised ? std::string(kOsTokens) : PropertyOf(left));
      const size_t begin = kTerm.size() + property.size() + 1;
      terms.push_back(query.substr(begin, query.size() - begin - 2));
    } else if (query != kOsMatchNone) {
      others += (others.empty() ? "" : ",") + query;
    }
  }
  std::string either = others;
  if (!terms.empty()) {
    either += (either.empty() ? "" : ",") +
              OsTerms(tokenised ? std::string(kOsTokens) : PropertyOf(left), terms);
  }
  return either.empty() ? std::string(kOsMatchNone)
                        : R"({"bool":{"should":[)" + either + R"(],"minimum_should_match":1}})";
}

std::string OsContains(const Operand& array, const Array& values, bool all) {
  const OsPath path = OsPathOf(array);
  const OsPath any = path.AnyElement();
  std::vector<std::string> terms;
  std::string each = CompareLength(path, Comparison::kGe, int64_t{0});
  for (const Value& value : values) {
    if (value.is_null()) {
      if (all) {
        return std::string(kOsMatchNone);
      }
      continue;
    }
    terms.push_back(JsonString(any.Of(value)));
    each += "," + OsTerm(kOsTokens, terms.back());
  }
  if (all) {
    return R"({"bool":{"filter":[)" + each + "]}}";
  }
  return terms.empty() ? std::string(kOsMatchNone) : OsTerms(kOsTokens, terms);
}

std::string OsLike(const Operand& left, const std::string& pattern) {
  const bool tokenised = OsIsTokenised(left);
  const std::string property = tokenised ? std::string(kOsTokens) : PropertyOf(left);
  const std::string before = tokenised ? OsPathOf(left).Kind('s') : "";
  if (const auto text = OsPrefixOf(pattern)) {
    return Prefix(property, before + *text);
  }
  return R"({"wildcard":{)" + JsonString(property) + R"(:{"value":)" +
         JsonString(Wildcard(before, pattern)) + "}}}";
}

std::string OsTextMatch(const Operand& left, const std::string& query) {
  std::vector<std::string> words;
  for (const std::string& word : Tokenize(query)) {
    words.push_back(JsonString(word));
  }
  return words.empty() ? std::string(kOsMatchNone)
                       : OsTerms(std::string(kOsWords) + "." + left.name, words);
}

}  // namespace roost
