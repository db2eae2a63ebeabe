#include "store/conformance/claims.h"

#include <algorithm>
#include <limits>

#include "base/json.h"
#include "base/strings.h"
#include "store/conformance/conformance.h"

namespace roost {
namespace {

using Names = std::vector<std::string>;

constexpr std::string_view kBegin = "<!-- made by tools/stores_table.py -->";
constexpr std::string_view kEnd = "<!-- end of what it made -->";
constexpr std::string_view kPassedRow = "checks passed";
constexpr std::string_view kRemake = "; make the table anew: tools/stores_table.py --write";

std::string YesOrNo(bool claimed) { return claimed ? "yes" : "no"; }

/// "16,384".
std::string Number(int64_t number) {
  std::string digits = std::to_string(number);
  const size_t first = digits[0] == '-' ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

/// Long ones at the ends of INT64 as people write them.
std::string KeyNumber(int64_t number) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const bool negative = number < 0;
  // How far inside the end it is.
  const int64_t inside = negative ? number - std::numeric_limits<int64_t>::min() : kMost - number;
  if (inside > 1'000) {
    return Number(number);
  }
  const int64_t below = negative ? inside : inside + 1;
  const std::string off = below == 0 ? "" : (negative ? " + " : " − ") + std::to_string(below);
  return (negative ? "−2^63" : "2^63") + off;
}

bool CanBeElement(DataType type) {
  return !IsVector(type) && type != DataType::kArray && type != DataType::kJson &&
         type != DataType::kText;
}

Names ShownByRoundTrips(DataType type) {
  const std::string name(DataTypeName(type));
  if (type != DataType::kArray) {
    Names checks = {"RoundTrip_" + name};
    if (!IsVector(type)) {
      checks.push_back("WrongValuesAreRefused");
    }
    return checks;
  }
  Names checks;
  for (int i = 0; i < static_cast<int>(DataType::kArray); ++i) {
    if (CanBeElement(static_cast<DataType>(i))) {
      checks.push_back("RoundTrip_ARRAY_" + std::string(DataTypeName(static_cast<DataType>(i))));
    }
  }
  return checks;
}

void AddTypes(const Capabilities& capabilities, std::vector<StoreClaim>& claims) {
  for (int i = 0; i <= static_cast<int>(DataType::kSparseVector); ++i) {
    const auto type = static_cast<DataType>(i);
    Names checks = ShownByRoundTrips(type);
    checks.push_back("UnclaimedAbilitiesAreRefused");
    const auto shadow = capabilities.shadows.find(type);
    const std::string kept =
        shadow == capabilities.shadows.end() ? "yes" : "yes, as " + shadow->second;
    claims.push_back({std::string(DataTypeName(type)),
                      capabilities.types.contains(type) ? kept : "no", std::move(checks)});
  }
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    const std::string name(MetricName(metric));
    claims.push_back({"metric " + name,
                      YesOrNo(capabilities.metrics.contains(metric)),
                      {"WorkedDistances_" + name, "NarrowVectorsTakeEveryMetric", "ExactSearch",
                       "UnclaimedAbilitiesAreRefused"}});
  }
}

void AddLimits(const Capabilities& capabilities, std::vector<StoreClaim>& claims) {
  const auto add = [&](std::string name, int64_t value, Names checks) {
    claims.push_back({std::move(name), Number(value), std::move(checks)});
  };
  add("dimensions", capabilities.max_dimension, {"LargestDimension", "BadSchemasAreRefused"});
  add("dimensions with an index", capabilities.max_indexed_dimension, {"LargestIndexedDimension"});
  add("vectors a record", capabilities.max_vectors_per_record,
      {"MostVectorsOfARecord", "BadSchemasAreRefused"});
  add("top_k and offset together", capabilities.max_top_k, {"LargestTopK", "TopKAndOffset"});
  add("bytes of a VARCHAR key", capabilities.max_key_bytes, {"StringKeys", "BadRowsAreRefused"});
  claims.push_back({"lowest INT64 key",
                    KeyNumber(capabilities.min_integer_key),
                    {"IntegerKeys", "UnclaimedIntegerKeysAreRefused"}});
  claims.push_back({"highest INT64 key",
                    KeyNumber(capabilities.max_integer_key),
                    {"IntegerKeys", "UnclaimedIntegerKeysAreRefused"}});
  add("rows of a batch it likes", capabilities.write_batch_rows,
      {"LikedBatchIsWrittenInOneCall", "BigBatch"});
  add("MiB of a batch it likes", static_cast<int64_t>(capabilities.write_batch_bytes >> 20),
      {"LikedBatchIsWrittenInOneCall"});
  add("ms until eventual reads show a write", capabilities.visibility.count(),
      {"EventualReadsCatchUp"});
}

void AddAbilities(const Capabilities& capabilities, std::vector<StoreClaim>& claims) {
  const auto add = [&](std::string name, bool value, Names checks) {
    claims.push_back({std::move(name), YesOrNo(value), std::move(checks)});
  };
  add("keyword search", capabilities.keyword_search,
      {"KeywordSearchFindsRecordsWithAWord", "KeywordSearchRanks", "KeywordSearchFollowsWrites",
       "KeywordSearchIsRefusedWhereThereIsNone"});
  add("dynamic fields", capabilities.dynamic_fields,
      {"DynamicFields", "UnclaimedAbilitiesAreRefused"});
  add("tenants", capabilities.tenants,
      {"SameKeyInTwoTenants", "TenantsAreIsolated", "ScanGoesThroughTenantsInOrder",
       "UnclaimedAbilitiesAreRefused"});
  add("fenced writes", capabilities.fenced_writes,
      {"OlderFenceDoesNotOverwrite", "OlderFenceDoesNotDelete", "OlderFenceDoesNotResurrect",
       "UnclaimedFencesAreRefused"});
  claims.push_back(
      {"nulls",
       capabilities.null_shadow.empty() ? "the store's own" : "told by " + capabilities.null_shadow,
       {"NullAndMissing", "FilterLogicAndNulls", "DefaultsAreApplied"}});
  add("zero bytes in strings", capabilities.null_bytes_in_strings,
      {"RoundTrip_VARCHAR", "StringKeys", "BadRowsAreRefused"});
  add("zero vectors with COSINE", capabilities.zero_vector_with_cosine, {"ZeroVectorsWithCosine"});
}

std::string ChecksText(const Names& checks) {
  std::string text;
  for (const auto& check : checks) {
    text += (text.empty() ? "" : " ") + check;
  }
  return text;
}

std::vector<std::string> Cells(std::string_view line) {
  std::vector<std::string> cells;
  for (const auto& cell : Split(line.substr(1), '|')) {
    cells.emplace_back(Trim(cell));
  }
  cells.pop_back();  // behind the last bar
  return cells;
}

using Table = std::vector<std::vector<std::string>>;

/// Rows of cells, the head first and the rule below it left out.
Result<Table> TableOf(std::string_view page) {
  const size_t begin = page.find(kBegin);
  const size_t end = page.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
    return NotFound("docs/stores.md has no table of capabilities" + std::string(kRemake));
  }
  Table table;
  for (const auto& line : Split(page.substr(begin, end - begin), '\n')) {
    if (line.starts_with("|") && line.ends_with("|") && !line.starts_with("| -")) {
      table.push_back(Cells(line));
    }
  }
  if (table.empty() || table[0].size() < 3) {
    return NotFound("the table in docs/stores.md has no stores" + std::string(kRemake));
  }
  return table;
}

}  // namespace

std::vector<StoreClaim> StoreClaims(const Capabilities& capabilities) {
  std::vector<StoreClaim> claims;
  AddTypes(capabilities, claims);
  AddAbilities(capabilities, claims);
  AddLimits(capabilities, claims);
  return claims;
}

std::string StoreTitle(const Capabilities& capabilities) {
  return capabilities.store == "embedded" ? "embedded" : capabilities.version;
}

Status CheckDocumented(std::string_view page, const Capabilities& capabilities) {
  const Table table = TRY(TableOf(page));
  const std::string title = StoreTitle(capabilities);
  const auto& head = table[0];
  const auto column =
      static_cast<size_t>(std::find(head.begin(), head.end(), title) - head.begin());
  if (column == head.size()) {
    return NotFound("docs/stores.md has no column \"" + title + "\"" + std::string(kRemake));
  }
  auto claims = StoreClaims(capabilities);
  const std::string count = std::to_string(ConformanceTestNames().size());
  claims.insert(claims.begin(),
                StoreClaim{std::string(kPassedRow), count + " of " + count, {"the whole suite"}});
  if (table.size() != claims.size() + 1) {
    return FailedPrecondition("the table in docs/stores.md has " +
                              std::to_string(table.size() - 1) + " rows, not " +
                              std::to_string(claims.size()) + std::string(kRemake));
  }
  for (size_t i = 0; i < claims.size(); ++i) {
    const auto& row = table[i + 1];
    const bool same = row.size() == head.size() && row[0] == claims[i].name &&
                      row[column] == claims[i].value &&
                      row.back() == ChecksText(claims[i].shown_by);
    if (!same) {
      return FailedPrecondition("docs/stores.md says \"" +
                                (column < row.size() ? row[column] : std::string()) + "\" of \"" +
                                row[0] + "\" in column \"" + title + "\"; the store claims \"" +
                                claims[i].value + "\" of \"" + claims[i].name + "\", shown by " +
                                ChecksText(claims[i].shown_by) + std::string(kRemake));
    }
  }
  return {};
}

std::string StoreClaimsJson(const Capabilities& capabilities) {
  std::string json = "{\"title\":";
  AppendJsonString(json, StoreTitle(capabilities));
  json += ",\"checks\":" + std::to_string(ConformanceTestNames().size()) + ",\"claims\":[";
  bool first = true;
  for (const auto& claim : StoreClaims(capabilities)) {
    json += first ? "{\"name\":" : ",{\"name\":";
    first = false;
    AppendJsonString(json, claim.name);
    json += ",\"value\":";
    AppendJsonString(json, claim.value);
    json += ",\"shown_by\":";
    AppendJsonString(json, ChecksText(claim.shown_by));
    json += '}';
  }
  return json + "]}";
}

}  // namespace roost
