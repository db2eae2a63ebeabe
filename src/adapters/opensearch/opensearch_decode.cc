// Documents as records: the other half of opensearch_codec.h.

#include <bit>
#include <charconv>
#include <cstdlib>
#include <type_traits>

#include <simdjson.h>

#include "adapters/opensearch/opensearch_codec.h"
#include "store/half.h"
#include "store/vector_math.h"

namespace roost {
namespace {

namespace sj = simdjson::ondemand;

struct Damaged {
  std::string what;
};

std::string Text(sj::value value) { return std::string(std::string_view(value.get_string())); }

/// The number as it was written: digits are never read through a wider or narrower type.
template <typename Number>
Number ReadNumber(std::string_view text) {
  Number number{};
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool too_large =
      error == std::errc::result_out_of_range &&
      (std::is_integral_v<Number> || std::strtod(std::string(text).c_str(), nullptr) >= 1 ||
       std::strtod(std::string(text).c_str(), nullptr) <= -1);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument || too_large) {
    throw Damaged{"\"" + std::string(text.substr(0, 40)) + "\" is not a number of its type"};
  }
  return number;  // too small for the type leaves 0
}

Value ReadScalar(DataType type, sj::value value) {
  switch (type) {
    case DataType::kBool:
      return bool(value.get_bool());
    case DataType::kFloat:
      return static_cast<double>(ReadNumber<float>(value.raw_json_token()));
    case DataType::kDouble:
      return ReadNumber<double>(value.raw_json_token());
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return Text(value);
    default:
      return ReadNumber<int64_t>(value.raw_json_token());
  }
}

Array ReadArray(DataType element, sj::value value) {
  Array array;
  for (auto member : value.get_array()) {
    array.push_back(ReadScalar(element, member.value()));
  }
  return array;
}

/// "[1.5,-0,3]" as float32 values, one after the other.
std::vector<float> ReadFloats(std::string_view text, size_t expected) {
  std::vector<float> floats;
  floats.reserve(expected);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (*at == '[' || *at == ']' || *at == ',' || *at == ' ' || *at == '\n') {
      ++at;
      continue;
    }
    float number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error == std::errc::invalid_argument) {
      throw Damaged{"a vector holds what is no number"};
    }
    floats.push_back(number);
    at = stop;
  }
  return floats;
}

Vector ReadVector(const VectorFieldSchema& field, sj::value value) {
  const std::string_view text = simdjson::to_json_string(value);
  const std::vector<float> floats = ReadFloats(text, field.dimension);
  if (floats.size() != field.dimension) {
    throw Damaged{"vector \"" + field.name + "\" has " + std::to_string(floats.size()) +
                  " elements, not " + std::to_string(field.dimension)};
  }
  return field.type == DataType::kFloatVector ? Vector::Floats(floats)
                                              : FromFloats(field.type, floats);
}

Vector ReadPacked(const VectorFieldSchema& field, sj::value value) {
  std::vector<uint64_t> longs;
  for (auto member : value.get_array()) {
    longs.push_back(static_cast<uint64_t>(ReadNumber<int64_t>(member.value().raw_json_token())));
  }
  Vector vector;
  vector.type = field.type;
  if (field.type == DataType::kSparseVector) {
    std::vector<SparseEntry> entries;
    for (const uint64_t packed : longs) {
      entries.emplace_back(static_cast<uint32_t>(packed >> 32),
                           std::bit_cast<float>(static_cast<uint32_t>(packed)));
    }
    return FromSparseEntries(entries);
  }
  vector.bytes.assign(field.dimension / 8, '\0');
  for (const uint64_t packed : longs) {
    for (size_t i = 0; i < 4; ++i) {
      const size_t at = static_cast<size_t>(packed >> 32) * 4 + i;
      if (at < vector.bytes.size()) {
        vector.bytes[at] = static_cast<char>((packed >> (24 - 8 * i)) & 0xff);
      }
    }
  }
  return vector;
}

/// What _x says overrides what stands where it is indexed.
void ReadExact(const CollectionSchema& schema, sj::object exact, Record& record) {
  for (auto member : exact) {
    const std::string name(std::string_view(member.unescaped_key()));
    sj::value value = member.value();
    if (name == "$") {
      record.dynamic = Text(value);
    } else if (const FieldSchema* field = schema.FindField(name); field != nullptr) {
      if (field->type == DataType::kJson) {
        record.fields[name] = Json{Text(value)};
      } else if (field->type == DataType::kArray) {
        record.fields[name] = ReadArray(field->element_type, value);
      } else {
        record.fields[name] = ReadScalar(field->type, value);
      }
    } else if (const VectorFieldSchema* vector = schema.FindVector(name); vector != nullptr) {
      record.vectors[name] = FromSparseEntries({});
    }
  }
}

void ReadKey(const CollectionSchema& schema, sj::value value, RecordKey& key) {
  if (schema.key_type == KeyType::kInt64) {
    key.key = ReadNumber<int64_t>(value.raw_json_token());
  } else {
    key.key = Text(value);
  }
}

void ReadMember(const CollectionSchema& schema, std::string_view name, sj::value value,
                OsDecoded& decoded) {
  Record& record = decoded.record;
  if (name == kOsKey) {
    ReadKey(schema, value, record.key);
  } else if (name == kOsTenant) {
    record.key.tenant = Text(value);
  } else if (name == kOsDead) {
    decoded.dead = value.get_bool();
  } else if (name == kOsFence) {
    decoded.fence = static_cast<uint64_t>(int64_t(value.get_int64()));
  } else if (name == kOsPacked) {
    for (auto member : value.get_object()) {
      const std::string vector(std::string_view(member.unescaped_key()));
      if (const VectorFieldSchema* field = schema.FindVector(vector); field != nullptr) {
        record.vectors[vector] = ReadPacked(*field, member.value());
      }
    }
  } else if (const FieldSchema* field = schema.FindField(name); field != nullptr) {
    record.fields[field->name] = field->type == DataType::kArray
                                     ? Value(ReadArray(field->element_type, value))
                                     : ReadScalar(field->type, value);
  } else if (const VectorFieldSchema* vector = schema.FindVector(name); vector != nullptr) {
    record.vectors[vector->name] = ReadVector(*vector, value);
  }
}

}  // namespace

Result<OsDecoded> DecodeRecord(const CollectionSchema& schema, std::string_view source) {
  OsDecoded decoded;
  try {
    sj::parser parser;
    // Twice, because _x may stand before what it overrides.
    const simdjson::padded_string_view padded(source.data(), source.size(),
                                              source.size() + simdjson::SIMDJSON_PADDING);
    sj::document document = parser.iterate(padded);
    std::string_view exact;
    for (auto member : document.get_object()) {
      const std::string_view name = member.unescaped_key();
      sj::value value = member.value();
      if (name == kOsExact) {
        exact = simdjson::to_json_string(value);
      } else {
        ReadMember(schema, name, value, decoded);
      }
    }
    if (!exact.empty()) {
      const simdjson::padded_string_view again(exact.data(), exact.size(),
                                               exact.size() + simdjson::SIMDJSON_PADDING);
      sj::document inner = parser.iterate(again);
      ReadExact(schema, inner.get_object(), decoded.record);
    }
  } catch (const Damaged& damaged) {
    return DataLoss("a document of collection \"" + schema.name + "\" is damaged: " + damaged.what);
  } catch (const simdjson::simdjson_error& error) {
    return DataLoss("a document of collection \"" + schema.name +
                    "\" was not written by Roost: " + error.what());
  }
  return decoded;
}

}  // namespace roost
