#include "store/types.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstring>

namespace roost {
namespace {

constexpr std::array<std::string_view, 19> kTypeNames = {
    "BOOL",        "INT8",          "INT16",          "INT32",
    "INT64",       "FLOAT",         "DOUBLE",         "VARCHAR",
    "TEXT",        "JSON",          "TIMESTAMP",      "UUID",
    "ARRAY",       "FLOAT_VECTOR",  "FLOAT16_VECTOR", "BFLOAT16_VECTOR",
    "INT8_VECTOR", "BINARY_VECTOR", "SPARSE_VECTOR"};
constexpr std::array<std::string_view, 6> kMetricNames = {"L2",      "COSINE",  "IP",
                                                          "HAMMING", "JACCARD", "BM25"};

std::string UpperAscii(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  });
  return upper;
}

/// The position of `name` in `names`, in any case; kInvalidArgument lists the names.
template <size_t kCount>
Result<size_t> FindName(const std::array<std::string_view, kCount>& names, std::string_view name,
                        std::string_view what) {
  const std::string upper = UpperAscii(name);
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == upper) {
      return i;
    }
  }
  std::string message = "unknown " + std::string(what) + " \"" + std::string(name) + "\"; one of ";
  for (size_t i = 0; i < kCount; ++i) {
    message += (i == 0 ? "" : ", ") + std::string(names[i]);
  }
  return InvalidArgument(message);
}

bool SameBits(double a, double b) {
  return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b);
}

bool SameDefault(const std::optional<Value>& a, const std::optional<Value>& b) {
  return a.has_value() == b.has_value() && (!a || SameValue(*a, *b));
}

/// The fields that are not null: an absent field and a null one are the same.
std::map<std::string_view, const Value*> Present(const Record& record) {
  std::map<std::string_view, const Value*> present;
  for (const auto& [name, value] : record.fields) {
    if (!value.is_null()) {
      present.emplace(name, &value);
    }
  }
  return present;
}

std::string_view DynamicText(const Record& record) {
  return record.dynamic == "{}" ? std::string_view() : std::string_view(record.dynamic);
}

}  // namespace

bool IsVector(DataType type) { return type >= DataType::kFloatVector; }

std::string_view DataTypeName(DataType type) { return kTypeNames[static_cast<size_t>(type)]; }

Result<DataType> ParseDataType(std::string_view name) {
  return static_cast<DataType>(TRY(FindName(kTypeNames, name, "data type")));
}

std::string_view MetricName(Metric metric) { return kMetricNames[static_cast<size_t>(metric)]; }

Result<Metric> ParseMetric(std::string_view name) {
  return static_cast<Metric>(TRY(FindName(kMetricNames, name, "metric")));
}

double ScoreOf(Metric metric, double distance) {
  return metric == Metric::kCosine || metric == Metric::kJaccard ? 1 - distance : -distance;
}

bool SameValue(const Value& a, const Value& b) {
  if (a.index() != b.index()) {
    return false;
  }
  if (const auto* number = std::get_if<double>(&a)) {
    return SameBits(*number, std::get<double>(b));
  }
  if (const auto* array = std::get_if<Array>(&a)) {
    const auto& other = std::get<Array>(b);
    return std::equal(array->begin(), array->end(), other.begin(), other.end(), SameValue);
  }

  switch (a.index()) {
    case 0:
      return true;
    case 1:
      return std::get<bool>(a) == std::get<bool>(b);
    case 2:
      return std::get<int64_t>(a) == std::get<int64_t>(b);
    case 4:
      return std::get<std::string>(a) == std::get<std::string>(b);
    default:
      return std::get<Json>(a) == std::get<Json>(b);
  }
}

Vector Vector::Floats(std::span<const float> values) {
  Vector vector;
  vector.bytes.resize(values.size_bytes());
  if (!values.empty()) {
    std::memcpy(vector.bytes.data(), values.data(), values.size_bytes());
  }
  return vector;
}

std::span<const float> Vector::floats() const {
  // A string's storage is aligned for pointers, which suffices for floats.
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

size_t Vector::dimension() const {
  switch (type) {
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
      return bytes.size() / 2;
    case DataType::kInt8Vector:
      return bytes.size();
    case DataType::kBinaryVector:
      return bytes.size() * 8;
    case DataType::kSparseVector:
      return bytes.size() / 8;
    default:
      return bytes.size() / sizeof(float);
  }
}

std::string ToString(const RecordKey& key) {
  std::string text = key.tenant.empty() ? "" : key.tenant + "/";
  if (const auto* number = std::get_if<int64_t>(&key.key)) {
    return text + std::to_string(*number);
  }
  text += '"';
  for (const char c : std::get<std::string>(key.key)) {
    if (c == '"' || c == '\\') {
      text += '\\';
    }
    text += c;
  }
  return text + '"';
}

bool SameRecord(const Record& a, const Record& b) {
  if (a.key != b.key || a.vectors != b.vectors || DynamicText(a) != DynamicText(b)) {
    return false;
  }
  const auto left = Present(a);
  const auto right = Present(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && SameValue(*x.second, *y.second);
                    });
}

bool FieldSchema::operator==(const FieldSchema& other) const {
  return name == other.name && type == other.type && element_type == other.element_type &&
         max_length == other.max_length && max_capacity == other.max_capacity &&
         nullable == other.nullable && SameDefault(default_value, other.default_value);
}

const FieldSchema* CollectionSchema::FindField(std::string_view field) const {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [&](const FieldSchema& f) { return f.name == field; });
  return found == fields.end() ? nullptr : &*found;
}

const VectorFieldSchema* CollectionSchema::FindVector(std::string_view field) const {
  const auto found = std::find_if(vectors.begin(), vectors.end(),
                                  [&](const VectorFieldSchema& f) { return f.name == field; });
  return found == vectors.end() ? nullptr : &*found;
}

}  // namespace roost
