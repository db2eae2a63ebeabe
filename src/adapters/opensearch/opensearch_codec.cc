#include "adapters/opensearch/opensearch_codec.h"

#include <bit>

#include "adapters/opensearch/opensearch_tokens.h"
#include "base/json.h"
#include "base/strings.h"
#include "store/half.h"
#include "store/json_value.h"
#include "store/tokenizer.h"
#include "store/vector_math.h"

namespace roost {
namespace {

constexpr char kDigested = '\1';  ///< the first byte of an id that is a digest

void AppendMember(std::string& out, std::string_view name) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":";
}

void AppendHex16(std::string& out, uint64_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int i = 15; i >= 0; --i) {
    out += kHex[(value >> (4 * i)) & 15];
  }
}

void AppendScalar(std::string& out, DataType type, const Value& value) {
  if (type == DataType::kFloat) {
    AppendJsonFloat(out, static_cast<float>(std::get<double>(value)));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    AppendJsonString(out, OsIndexedString(*text));
  } else {
    AppendJsonValue(out, value);
  }
}

bool IsLong(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && text->size() > kOsMaxIndexedBytes;
}

/// A document being written: the parts that are gathered on the way.
struct Parts {
  std::string exact;  ///< members of _x
  std::string words;  ///< members of _words
  std::string packed;
  OsTokens tokens;
  std::vector<std::string> cut;
};

void AddExact(Parts& parts, std::string_view name, std::string_view json) {
  if (parts.exact.empty()) {
    parts.exact = "{";
  }
  AppendMember(parts.exact, name);
  parts.exact += json;
}

void AddJson(Parts& parts, std::string_view field, std::string_view json) {
  AddExact(parts, field.empty() ? "$" : field, JsonString(json));
  parts.tokens.cut = false;
  AddJsonTokens(parts.tokens, OsPath(field), json);
  if (parts.tokens.cut) {
    parts.cut.emplace_back(field.empty() ? "$" : field);
  }
}

void AddArray(std::string& out, Parts& parts, const FieldSchema& field, const Array& array) {
  bool cut = false;
  out += '[';
  for (size_t i = 0; i < array.size(); ++i) {
    out += i == 0 ? "" : ",";
    AppendScalar(out, field.element_type, array[i]);
    cut = cut || IsLong(array[i]);
  }
  out += ']';
  AddTokens(parts.tokens, OsPath(field.name), array);
  if (cut) {
    std::string whole;
    AppendJsonValue(whole, array);
    AddExact(parts, field.name, whole);
    parts.cut.push_back(field.name);
  }
}

void AddField(std::string& out, Parts& parts, const FieldSchema& field, const Value& value) {
  if (const auto* json = std::get_if<Json>(&value)) {
    AddJson(parts, field.name, json->text);
    return;
  }
  AppendMember(out, field.name);
  if (const auto* array = std::get_if<Array>(&value)) {
    AddArray(out, parts, field, *array);
    return;
  }
  AppendScalar(out, field.type, value);
  if (IsLong(value)) {
    AddExact(parts, field.name, JsonString(std::get<std::string>(value)));
    parts.cut.push_back(field.name);
  }
  if (field.type == DataType::kText) {
    if (parts.words.empty()) {
      parts.words = "{";
    }
    AppendMember(parts.words, field.name);
    const std::vector<std::string> words = Tokenize(std::get<std::string>(value));
    AppendJsonString(parts.words, Join(std::span<const std::string>(words), " "));
  }
}

void AddVector(std::string& out, Parts& parts, std::string_view name, const Vector& vector) {
  if (!OsIsPacked(vector.type)) {
    AppendMember(out, name);
    AppendVector(out, vector);
    return;
  }
  if (parts.packed.empty()) {
    parts.packed = "{";
  }
  AppendMember(parts.packed, name);
  parts.packed += '[';
  std::vector<int64_t> longs = PackVector(vector);
  if (longs.empty()) {  // Something has to be there, or the vector would count as absent.
    longs.push_back(0);
    AddExact(parts, name, "0");
  }
  for (size_t i = 0; i < longs.size(); ++i) {
    parts.packed += i == 0 ? "" : ",";
    AppendJsonInt(parts.packed, longs[i]);
  }
  parts.packed += ']';
}

void AppendStrings(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) {
    return;
  }
  AppendMember(out, name);
  out += '[';
  for (size_t i = 0; i < texts.size(); ++i) {
    out += i == 0 ? "" : ",";
    AppendJsonString(out, texts[i]);
  }
  out += ']';
}

void AppendIdentity(std::string& out, const CollectionSchema& schema, const RecordKey& key) {
  AppendMember(out, kOsOrder);
  AppendJsonString(out, OsOrder(schema, key));
  AppendMember(out, kOsKey);
  if (const auto* integer = std::get_if<int64_t>(&key.key)) {
    AppendJsonInt(out, *integer);
  } else {
    AppendJsonString(out, std::get<std::string>(key.key));
  }
  if (schema.multi_tenant()) {
    AppendMember(out, kOsTenant);
    AppendJsonString(out, key.tenant);
  }
}

void AppendObject(std::string& out, std::string_view name, const std::string& members) {
  if (!members.empty()) {
    AppendMember(out, name);
    out += members;
    out += '}';
  }
}

}  // namespace

std::string OsOrder(const CollectionSchema& schema, const RecordKey& key) {
  std::string order;
  if (schema.multi_tenant()) {
    for (const char c : key.tenant) {
      order += c;
      if (c == '\0') {
        order += '\1';
      }
    }
    order.append(2, '\0');  // below every other byte, so that "a" and all its keys precede "ab"
  }
  if (const auto* integer = std::get_if<int64_t>(&key.key)) {
    AppendHex16(order, static_cast<uint64_t>(*integer) ^ (uint64_t{1} << 63));
  } else {
    order += std::get<std::string>(key.key);
  }
  return order;
}

std::string OsDocumentId(const CollectionSchema& schema, const RecordKey& key) {
  std::string id;
  if (!schema.multi_tenant() && std::holds_alternative<int64_t>(key.key)) {
    return std::to_string(std::get<int64_t>(key.key));
  }
  id = OsOrder(schema, key);
  if (id.size() > kOsMaxIdBytes || id.front() == kDigested) {
    return kDigested + OsDigest(id);
  }
  return id;
}

bool OsIsPacked(DataType type) {
  return type == DataType::kBinaryVector || type == DataType::kSparseVector;
}

std::string PackedName(std::string_view vector) {
  return std::string(kOsPacked) + "." + std::string(vector);
}

std::vector<int64_t> PackVector(const Vector& vector) {
  std::vector<int64_t> longs;
  if (vector.type == DataType::kSparseVector) {
    for (const auto& [index, value] : ToSparseEntries(vector)) {
      longs.push_back(
          static_cast<int64_t>((uint64_t{index} << 32) | std::bit_cast<uint32_t>(value)));
    }
    return longs;
  }
  // Doc values come sorted: each word of 32 bits carries its place.
  for (size_t at = 0; at < vector.bytes.size(); at += 4) {
    uint64_t word = 0;
    for (size_t i = at; i < at + 4; ++i) {
      word = (word << 8) |
             (i < vector.bytes.size() ? static_cast<unsigned char>(vector.bytes[i]) : 0u);
    }
    longs.push_back(static_cast<int64_t>((uint64_t{at / 4} << 32) | word));
  }
  return longs;
}

void AppendVector(std::string& out, const Vector& vector) {
  out += '[';
  bool first = true;
  const auto append = [&](float value) {
    out += first ? "" : ",";
    first = false;
    AppendJsonFloat(out, value);
  };
  if (vector.type == DataType::kFloatVector) {
    out.reserve(out.size() + vector.bytes.size() * 3);
    for (const float value : vector.floats()) {
      append(value);
    }
  } else {
    for (const float value : ToFloats(vector)) {
      append(value);
    }
  }
  out += ']';
}

std::string EncodeRecord(const CollectionSchema& schema, const Record& record) {
  std::string out = "{";
  Parts parts;
  AppendIdentity(out, schema, record.key);
  for (const auto& [name, value] : record.fields) {
    const FieldSchema* field = schema.FindField(name);
    if (field != nullptr && !value.is_null()) {
      AddField(out, parts, *field, value);
    }
  }
  for (const auto& [name, vector] : record.vectors) {
    AddVector(out, parts, name, vector);
  }
  if (!record.dynamic.empty()) {
    AddJson(parts, "", record.dynamic);
  }
  AppendStrings(out, kOsTokens, parts.tokens.words);
  AppendStrings(out, kOsCut, parts.cut);
  AppendObject(out, kOsWords, parts.words);
  AppendObject(out, kOsPacked, parts.packed);
  AppendObject(out, kOsExact, parts.exact);
  return out + '}';
}

std::string EncodeTombstone(const CollectionSchema& schema, const RecordKey& key, uint64_t fence,
                            int64_t now_ms) {
  std::string out = "{";
  AppendIdentity(out, schema, key);
  AppendMember(out, kOsDead);
  out += "true";
  AppendMember(out, kOsFence);
  AppendJsonInt(out, static_cast<int64_t>(fence));
  AppendMember(out, kOsBuried);
  AppendJsonInt(out, now_ms);
  return out + '}';
}

}  // namespace roost
