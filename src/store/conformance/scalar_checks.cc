#include <cfloat>
#include <limits>

#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

constexpr double kDenormal = std::numeric_limits<double>::denorm_min();
constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();

std::string Repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    out += text;
  }
  return out;
}

/// Pairs of what is written and what comes back.
using Cases = std::vector<std::pair<Value, Value>>;

Cases Same(std::vector<Value> values) {
  Cases cases;
  for (auto& value : values) {
    cases.emplace_back(value, value);
  }
  return cases;
}

double Float(double value) { return static_cast<float>(value); }

Cases StringCases(const Capabilities& capabilities) {
  std::vector<Value> values = {"",
                               " ",
                               "  two blanks before and after  ",
                               "line\nbreak\r\n\ttab",
                               "quote ' \" ` \\ end",
                               "'; DROP TABLE x; --",
                               "%_\\%",
                               "null",
                               "NULL",
                               "true",
                               "{}",
                               "[]",
                               "{1,2}",
                               "\\x41",
                               "\\N",
                               "größer, Ελληνικά, русский, 日本語, العربية",
                               "👩‍👩‍👧‍👦 🇩🇪 emoji",
                               "e\u0301 é",
                               "\u00a0\u200b\ufeff",
                               "\U0010FFFF",
                               "\x01\x02\x1f\x7f",
                               Repeat("x", 65'535),
                               Repeat("ü", 32'767)};
  if (capabilities.null_bytes_in_strings) {
    values.push_back(std::string("zero\0byte", 9));
    values.push_back(std::string(1, '\0'));
  }
  return Same(std::move(values));
}

Cases JsonCases(const Capabilities& capabilities) {
  Cases cases;
  const auto add = [&](std::string written, std::string read) {
    cases.emplace_back(Json{std::move(written)}, Json{std::move(read)});
  };
  add(R"({"b": 1, "a": [1, 2.5, "x", null, true, {"c": {}}]})",
      R"({"a":[1,2.5,"x",null,true,{"c":{}}],"b":1})");
  add(R"({"big": 9223372036854775807, "low": -9223372036854775808})",
      R"({"big":9223372036854775807,"low":-9223372036854775808})");
  add(R"({"odd": 9007199254740993})", R"({"odd":9007199254740993})");
  add("{}", "{}");
  add("[]", "[]");
  add("5", "5");
  add("\"text\"", "\"text\"");
  add("false", "false");
  add(R"({"": "", "größe": "👍", "quote\"": "\\ \n \t"})",
      R"({"":"","größe":"👍","quote\"":"\\ \n \t"})");
  add(R"({"d": 0.1, "tiny": 5e-324, "huge": 1.7976931348623157e308, "one": 1.0})",
      R"({"d":0.1,"huge":1.7976931348623157e+308,"one":1,"tiny":5e-324})");
  add(Repeat("[", 30) + Repeat("]", 30), Repeat("[", 30) + Repeat("]", 30));
  add(R"({"x": null})", R"({"x":null})");
  if (capabilities.null_bytes_in_strings) {
    add(R"({"z":"a\u0000b"})", R"({"z":"a\u0000b"})");
  }
  cases.emplace_back(Json{"null"}, Value());
  return cases;
}

Cases CasesOf(DataType type, const Capabilities& capabilities) {
  switch (type) {
    case DataType::kBool:
      return Same({true, false});
    case DataType::kInt8:
      return Same({int64_t{-128}, int64_t{127}, int64_t{0}, int64_t{-1}});
    case DataType::kInt16:
      return Same({int64_t{-32'768}, int64_t{32'767}, int64_t{0}});
    case DataType::kInt32:
      return Same({int64_t{-2'147'483'648}, int64_t{2'147'483'647}, int64_t{0}});
    case DataType::kInt64:
      return Same({kLow, kHigh, kLow + 1, int64_t{1} << 53, (int64_t{1} << 53) + 1,
                   -(int64_t{1} << 53) - 1, int64_t{0}});
    case DataType::kFloat: {
      Cases cases = Same({0.0, -0.0, 1.5, double{FLT_MAX}, -double{FLT_MAX}, double{FLT_MIN},
                          double{FLT_TRUE_MIN}, Float(0.1), Float(1.0 / 3)});
      cases.emplace_back(0.1, Float(0.1));
      cases.emplace_back(1e-46, 0.0);  // below the smallest float32
      cases.emplace_back(-1e-46, -0.0);
      cases.emplace_back(int64_t{16'777'217}, 16'777'216.0);
      return cases;
    }
    case DataType::kDouble: {
      Cases cases = Same({0.0, -0.0, 0.1, 1.0 / 3, DBL_MAX, -DBL_MAX, DBL_MIN, kDenormal,
                          -kDenormal, 1e-46, 0x1p53, 123456789.123456789});
      cases.emplace_back(int64_t{5}, 5.0);
      return cases;
    }
    case DataType::kVarChar:
    case DataType::kText:
      return StringCases(capabilities);
    case DataType::kJson:
      return JsonCases(capabilities);
    case DataType::kTimestamp: {
      Cases cases = Same({int64_t{0}, int64_t{-1}, int64_t{1'735'689'600'123'456},
                          int64_t{-62'135'596'800'000'000}, int64_t{253'402'300'799'999'999}});
      cases.emplace_back("2025-01-01T01:00:00.5+01:00", int64_t{1'735'689'600'500'000});
      return cases;
    }
    default: {
      const std::string lower = "123e4567-e89b-12d3-a456-426614174000";
      return {{Value(lower), Value(lower)},
              {"123E4567-E89B-12D3-A456-426614174000", Value(lower)},
              {"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"},
              {"FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF", "ffffffff-ffff-ffff-ffff-ffffffffffff"}};
    }
  }
}

/// Writes each case as a record of its own and reads it by Get, Query and Scan.
void TryCases(Trial& trial, const FieldSchema& field, const Cases& cases) {
  auto schema = trial.Plain(field.type == DataType::kArray ? DataTypeName(field.element_type) : "");
  schema.key_type = KeyType::kInt64;
  schema.fields = {field};
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> rows;
  for (size_t i = 0; i < cases.size(); ++i) {
    auto record = PlainRecord(IntegerKey(static_cast<int64_t>(i)));
    record.fields["f"] = cases[i].first;
    rows.push_back(std::move(record));
  }
  trial.Upsert(schema.name, rows);
  const auto queried =
      trial.Query({.collection = schema.name, .limit = 1'000, .output = {.vectors = true}});
  const auto scanned = trial.ScanAll(schema.name, 3);
  ASSERT_EQ(queried.size(), rows.size());
  ASSERT_EQ(scanned.size(), rows.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    auto expected = rows[i];
    expected.fields["f"] = cases[i].second;
    const auto got = trial.Get(schema.name, expected.key);
    ASSERT_TRUE(got.has_value()) << Show(expected);
    EXPECT_TRUE(SameRecord(*got, expected)) << "get " << Show(*got) << ", not " << Show(expected);
    EXPECT_TRUE(SameRecord(queried[i], expected))
        << "query " << Show(queried[i]) << ", not " << Show(expected);
    EXPECT_TRUE(SameRecord(scanned[i], expected))
        << "scan " << Show(scanned[i]) << ", not " << Show(expected);
  }
}

void RoundTrip(Trial& trial, DataType type) {
  if (trial.Claims(type)) {
    TryCases(trial, {.name = "f", .type = type}, CasesOf(type, trial.capabilities()));
  }
}

void ArrayRoundTrip(Trial& trial, DataType element) {
  if (!trial.Claims(DataType::kArray) || !trial.Claims(element)) {
    return;
  }
  Array written;
  Array read;
  for (const auto& [in, out] : CasesOf(element, trial.capabilities())) {
    const auto* text = std::get_if<std::string>(&in);
    if (text == nullptr || text->size() < 1'000) {
      written.push_back(in);
      read.push_back(out);
    }
  }
  Cases cases = {{Array{}, Array{}}, {written, read}, {Array{written[0]}, Array{read[0]}}};
  Array full(100, written[0]);
  cases.emplace_back(full, Array(100, read[0]));
  TryCases(trial,
           {.name = "f", .type = DataType::kArray, .element_type = element, .max_capacity = 100},
           cases);
}

/// One value that the type does not take.
Value Wrong(DataType type) {
  switch (type) {
    case DataType::kBool:
      return int64_t{1};
    case DataType::kInt8:
      return int64_t{128};
    case DataType::kInt16:
      return int64_t{-32'769};
    case DataType::kInt32:
      return int64_t{2'147'483'648};
    case DataType::kInt64:
      return 1.5;
    case DataType::kFloat:
      return 1e39;
    case DataType::kDouble:
      return std::numeric_limits<double>::quiet_NaN();
    case DataType::kVarChar:
      return int64_t{5};
    case DataType::kText:
      return "\xff not UTF-8";
    case DataType::kJson:
      return Json{"{broken"};
    case DataType::kTimestamp:
      return "yesterday";
    case DataType::kUuid:
      return "123e4567";
    default:
      return Array{int64_t{1}, Value()};
  }
}

void WrongValuesAreRefused(Trial& trial) {
  for (int i = 0; i <= static_cast<int>(DataType::kArray); ++i) {
    const auto type = static_cast<DataType>(i);
    if (!trial.Claims(type)) {
      continue;
    }
    auto schema = trial.Plain("Type" + std::to_string(i));
    schema.fields = {{.name = "f", .type = type}};
    ASSERT_TRUE(trial.Create(schema));
    auto good = PlainRecord(StringKey("good"));
    auto bad = PlainRecord(StringKey("bad"));
    bad.fields["f"] = Wrong(type);
    const auto written =
        trial.store().Upsert(Trial::Context(), {.collection = schema.name, .records = {good, bad}});
    EXPECT_EQ(written.code(), Code::kInvalidArgument) << DataTypeName(type);
    if (!written.ok()) {
      const std::string& message = written.error().message;
      EXPECT_NE(message.find("row 1"), std::string::npos) << message;
      EXPECT_NE(message.find("bad"), std::string::npos) << message;
      EXPECT_NE(message.find("\"f\""), std::string::npos) << message;
    }
    EXPECT_EQ(trial.Count({.collection = schema.name}), 0u) << "rows of a refused batch are there";
  }
}

}  // namespace

Checks ScalarChecks() {
  Checks checks;
  for (int i = 0; i < static_cast<int>(DataType::kArray); ++i) {
    const auto type = static_cast<DataType>(i);
    const std::string name(DataTypeName(type));
    checks.push_back({"RoundTrip_" + name, [type](Trial& trial) { RoundTrip(trial, type); }});
    if (type != DataType::kText && type != DataType::kJson) {
      checks.push_back(
          {"RoundTrip_ARRAY_" + name, [type](Trial& trial) { ArrayRoundTrip(trial, type); }});
    }
  }
  checks.push_back({"WrongValuesAreRefused", WrongValuesAreRefused});
  return checks;
}

}  // namespace roost::conformance
