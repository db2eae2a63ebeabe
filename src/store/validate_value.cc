#include "store/validate_value.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/json.h"
#include "store/scalar_text.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

Error Mismatch(const FieldSchema& field, DataType type, const Value& value) {
  return InvalidArgument(
      "field \"" + field.name + "\" is " + (field.type == DataType::kArray ? "an ARRAY of " : "") +
      std::string(DataTypeName(type)) + "; the row has " + std::string(ValueKind(value)));
}

struct Range {
  int64_t low;
  int64_t high;
};

Range RangeOf(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return {-128, 127};
    case DataType::kInt16:
      return {-32'768, 32'767};
    case DataType::kInt32:
      return {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()};
    case DataType::kTimestamp:
      return {kMinTimestamp, kMaxTimestamp};
    default:
      return {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()};
  }
}

Status NormalizeInteger(const FieldSchema& field, DataType type, Value& value) {
  if (const auto* text = std::get_if<std::string>(&value);
      text != nullptr && type == DataType::kTimestamp) {
    const auto micros = ParseTimestamp(*text);
    if (!micros) {
      return InvalidArgument("field \"" + field.name + "\" is TIMESTAMP; \"" + *text +
                             "\" is not a time like 2025-01-31T12:00:00Z");
    }
    value = *micros;
  }
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr) {
    return Mismatch(field, type, value);
  }
  const auto [low, high] = RangeOf(type);
  if (*number < low || *number > high) {
    return InvalidArgument("field \"" + field.name + "\" is " + std::string(DataTypeName(type)) +
                           "; " + std::to_string(*number) + " is out of range (" +
                           std::to_string(low) + " to " + std::to_string(high) + ")");
  }
  return {};
}

Status NormalizeFloating(const FieldSchema& field, DataType type, Value& value) {
  double number = 0;
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    number = static_cast<double>(*integer);
  } else if (const auto* floating = std::get_if<double>(&value)) {
    number = *floating;
  } else {
    return Mismatch(field, type, value);
  }
  if (!std::isfinite(number)) {
    return InvalidArgument("field \"" + field.name + "\" is NaN or infinite; use null or a number");
  }
  if (type == DataType::kFloat) {
    // 0x1.ffffffp127 is half way to what would be 2^128: from there on rounding gives infinity.
    if (std::fabs(number) >= 0x1.ffffffp127) {
      std::string shown;
      AppendJsonDouble(shown, number);
      return InvalidArgument("field \"" + field.name + "\" is FLOAT; " + shown +
                             " is out of its range");
    }
    number = static_cast<float>(number);
  }
  value = number;
  return {};
}

Status NormalizeString(const FieldSchema& field, DataType type, const Capabilities& capabilities,
                       Value& value) {
  auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return Mismatch(field, type, value);
  }
  if (type == DataType::kUuid) {
    auto uuid = NormalizeUuid(*text);
    if (!uuid) {
      return InvalidArgument("field \"" + field.name +
                             "\" is UUID; the row has text that is none, like "
                             "123e4567-e89b-12d3-a456-426614174000");
    }
    *text = *std::move(uuid);
    return {};
  }
  if (text->size() > field.max_length) {
    return InvalidArgument("field \"" + field.name + "\" has " + std::to_string(text->size()) +
                           " bytes; at most " + std::to_string(field.max_length) + " (max_length)");
  }
  return CheckString(*text, capabilities, "field \"" + field.name + "\"");
}

Status CheckJsonNulls(std::string_view json, const Capabilities& capabilities,
                      const std::string& what) {
  if (capabilities.null_bytes_in_strings) {
    return {};
  }
  for (size_t at = json.find("\\u0000"); at != std::string_view::npos;
       at = json.find("\\u0000", at + 1)) {
    size_t backslashes = 1;  // an even number stands for backslashes and the text "u0000"
    while (backslashes <= at && json[at - backslashes] == '\\') {
      ++backslashes;
    }
    if (backslashes % 2 == 1) {
      return InvalidArgument(what + " has a zero byte in a string; the " + capabilities.store +
                             " store cannot keep it");
    }
  }
  return {};
}

Status NormalizeJson(const FieldSchema& field, const Capabilities& capabilities, Value& value) {
  auto* json = std::get_if<Json>(&value);
  if (json == nullptr) {
    return Mismatch(field, DataType::kJson, value);
  }
  auto canonical = CanonicalJson(json->text);
  if (!canonical.ok()) {
    return canonical.error().Within("field \"" + field.name + "\"");
  }
  TRY(CheckJsonNulls(*canonical, capabilities, "field \"" + field.name + "\""));
  if (*canonical == "null") {
    value = Value();
    return {};
  }
  json->text = *std::move(canonical);
  return {};
}

Status NormalizeScalar(const FieldSchema& field, DataType type, const Capabilities& capabilities,
                       Value& value) {
  switch (type) {
    case DataType::kBool:
      return std::holds_alternative<bool>(value) ? Status() : Mismatch(field, type, value);
    case DataType::kFloat:
    case DataType::kDouble:
      return NormalizeFloating(field, type, value);
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return NormalizeString(field, type, capabilities, value);
    case DataType::kJson:
      return NormalizeJson(field, capabilities, value);
    default:
      return NormalizeInteger(field, type, value);
  }
}

Status NormalizeArray(const FieldSchema& field, const Capabilities& capabilities, Value& value) {
  auto* array = std::get_if<Array>(&value);
  if (array == nullptr) {
    return InvalidArgument("field \"" + field.name + "\" is an ARRAY; the row has " +
                           std::string(ValueKind(value)));
  }
  if (array->size() > field.max_capacity) {
    return InvalidArgument("field \"" + field.name + "\" has " + std::to_string(array->size()) +
                           " elements; at most " + std::to_string(field.max_capacity) +
                           " (max_capacity)");
  }
  for (size_t i = 0; i < array->size(); ++i) {
    auto& element = (*array)[i];
    const Status checked = element.is_null()
                               ? Status(InvalidArgument("arrays have no nulls inside"))
                               : NormalizeScalar(field, field.element_type, capabilities, element);
    if (!checked.ok()) {
      return checked.error().Within("field \"" + field.name + "\" element " + std::to_string(i));
    }
  }
  return {};
}

Error NotFinite(const VectorFieldSchema& field, size_t element) {
  return InvalidArgument("vector \"" + field.name + "\" is NaN or infinite at element " +
                         std::to_string(element));
}

Status NormalizeSparse(const VectorFieldSchema& field, Vector& vector) {
  if (vector.bytes.size() % 8 != 0) {
    return InvalidArgument("vector \"" + field.name + "\" has " +
                           std::to_string(vector.bytes.size()) +
                           " bytes; sparse entries have 8 bytes each");
  }
  auto entries = ToSparseEntries(vector);
  if (entries.size() > 16'000) {
    return InvalidArgument("vector \"" + field.name + "\" has " + std::to_string(entries.size()) +
                           " entries; at most 16000");
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0 && entries[i].first == entries[i - 1].first) {
      return InvalidArgument("vector \"" + field.name + "\" has index " +
                             std::to_string(entries[i].first) + " twice");
    }
    if (!std::isfinite(entries[i].second)) {
      return NotFinite(field, entries[i].first);
    }
  }
  vector = FromSparseEntries(entries);
  return {};
}

/// Bytes that `dimension` elements take.
size_t BytesOf(const VectorFieldSchema& field) {
  switch (field.type) {
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      return size_t{field.dimension} * 2;
    case DataType::kInt8Vector:
      return field.dimension;
    case DataType::kBinaryVector:
      return field.dimension / 8;
    default:
      return size_t{field.dimension} * 4;
  }
}

}  // namespace

std::string_view ValueKind(const Value& value) {
  constexpr std::string_view kKinds[] = {"null",     "a boolean", "an integer", "a floating number",
                                         "a string", "JSON",      "an array"};
  return kKinds[value.index()];
}

Status CheckString(std::string_view text, const Capabilities& capabilities, std::string_view what) {
  if (!IsUtf8(text)) {
    return InvalidArgument(std::string(what) + " is not valid UTF-8");
  }
  if (!capabilities.null_bytes_in_strings && text.find('\0') != std::string_view::npos) {
    return InvalidArgument(std::string(what) + " has a zero byte; the " + capabilities.store +
                           " store cannot keep it");
  }
  return {};
}

Result<std::string> NormalizeDynamic(std::string_view text, const Capabilities& capabilities) {
  if (text.empty()) {
    return std::string();
  }
  auto canonical = CanonicalJson(text);
  if (!canonical.ok()) {
    return canonical.error().Within("dynamic fields");
  }
  if ((*canonical)[0] != '{') {
    return InvalidArgument("dynamic fields are a JSON object; the row has other JSON");
  }
  TRY(CheckJsonNulls(*canonical, capabilities, "a dynamic field"));
  if (*canonical == "{}") {
    canonical->clear();
  }
  return canonical;
}

Status NormalizeValue(const FieldSchema& field, const Capabilities& capabilities, Value& value) {
  return field.type == DataType::kArray ? NormalizeArray(field, capabilities, value)
                                        : NormalizeScalar(field, field.type, capabilities, value);
}

Status NormalizeVector(const VectorFieldSchema& field, const Capabilities& capabilities,
                       Vector& vector) {
  if (vector.type != field.type) {
    return InvalidArgument("vector \"" + field.name + "\" is " +
                           std::string(DataTypeName(vector.type)) + "; the collection has " +
                           std::string(DataTypeName(field.type)));
  }
  if (field.type == DataType::kSparseVector) {
    return NormalizeSparse(field, vector);
  }
  if (vector.bytes.size() != BytesOf(field)) {
    return InvalidArgument("vector \"" + field.name + "\" has " +
                           std::to_string(vector.dimension()) + " dimensions; the collection has " +
                           std::to_string(field.dimension));
  }
  if (field.type == DataType::kBinaryVector) {
    return {};
  }
  bool zero = true;
  const auto check = [&](std::span<const float> elements) -> Status {
    for (size_t i = 0; i < elements.size(); ++i) {
      if (!std::isfinite(elements[i])) {
        return NotFinite(field, i);
      }
      zero = zero && elements[i] == 0;
    }
    return {};
  };
  TRY(field.type == DataType::kFloatVector ? check(vector.floats()) : check(ToFloats(vector)));
  if (zero && field.metric == Metric::kCosine && !capabilities.zero_vector_with_cosine) {
    return InvalidArgument("vector \"" + field.name +
                           "\" is all zeros, which has no direction for metric COSINE; leave the "
                           "vector out");
  }
  return {};
}

}  // namespace roost
