#include "protocol/rest/scalar_text.h"

#include <fmt/format.h>

#include "store/scalar_text.h"

namespace roost::rest {

namespace {

int64_t ReadTimestamp(std::string_view name, sj::value value) {
  if (value.type() != sj::json_type::string) {
    return ParseToken<int64_t>(name, NumberToken(name, value));
  }
  const std::string_view text = value.get_string();
  const std::optional<int64_t> micros = ParseTimestamp(text);
  if (!micros) {
    FailBody(fmt::format("\"{}\": \"{}\" is no time; write it as 2024-05-01T12:00:00.5+02:00", name,
                         text.substr(0, Utf8Prefix(text.substr(0, 64)))));
  }
  return *micros;
}

Value ReadOne(std::string_view name, sj::value value, DataType type) {
  switch (type) {
    case DataType::kBool:
      return ReadBool(name, value);
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
      return ParseToken<int64_t>(name, NumberToken(name, value));
    case DataType::kFloat:
    case DataType::kDouble:
      return ReadDouble(name, value);
    case DataType::kTimestamp:
      return ReadTimestamp(name, value);
    case DataType::kJson:
      return Json{std::string(std::string_view(simdjson::to_json_string(value)))};
    default:
      return std::string(ReadString(name, value));
  }
}

Value ReadNumber(std::string_view name, sj::value value) {
  const std::string_view token = NumberToken(name, value);
  if (token.find_first_of(".eE") == std::string_view::npos) {
    return ParseToken<int64_t>(name, token);
  }
  return ParseToken<double>(name, token);
}

}  // namespace

Value ReadScalar(std::string_view name, sj::value value, const FieldSchema& field) {
  if (value.is_null()) {
    // In a JSON field null is a value of its own only inside; alone it means "no value".
    return {};
  }
  if (field.type != DataType::kArray) {
    return ReadOne(name, value, field.type);
  }
  if (value.type() != sj::json_type::array) {
    FailBody(fmt::format("\"{}\" is an array of {}; write it as […]", name,
                         DataTypeName(field.element_type)));
  }
  Array array;
  for (auto element : value.get_array()) {
    array.push_back(ReadOne(name, element.value(), field.element_type));
  }
  return array;
}

Value ReadParameter(std::string_view name, sj::value value) {
  switch (value.type()) {
    case sj::json_type::null:
      return {};
    case sj::json_type::boolean:
      return ReadBool(name, value);
    case sj::json_type::number:
      return ReadNumber(name, value);
    case sj::json_type::string:
      return std::string(ReadString(name, value));
    case sj::json_type::array: {
      Array array;
      for (auto element : value.get_array()) {
        array.push_back(ReadParameter(name, element.value()));
      }
      return array;
    }
    default:
      FailBody(fmt::format("parameter \"{}\" must be a scalar or an array of scalars", name));
  }
}

Key ReadKey(std::string_view name, sj::value value, KeyType type) {
  if (type == KeyType::kInt64) {
    if (value.type() != sj::json_type::number) {
      FailBody(fmt::format("\"{}\" must be an integer: the collection's keys are INT64", name));
    }
    return ParseToken<int64_t>(name, NumberToken(name, value));
  }
  if (value.type() != sj::json_type::string) {
    FailBody(fmt::format("\"{}\" must be a string: the collection's keys are VARCHAR", name));
  }
  return std::string(ReadString(name, value));
}

}  // namespace roost::rest
