#include "protocol/rest/vector_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/json.h"
#include "store/half.h"

namespace roost::rest {

namespace {

template <typename Element>
void AppendElement(std::string& bytes, Element element) {
  const size_t size = bytes.size();
  bytes.resize(size + sizeof(element));
  std::memcpy(bytes.data() + size, &element, sizeof(element));
}

// A float straight from the digits: going through double would round twice.
float ReadFloat(std::string_view name, sj::value value) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') {
    token.remove_suffix(1);
  }
  float number = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), number);
  if (error == std::errc::result_out_of_range) {
    // Too large or too small for float32: the former is refused, the latter is the nearest: zero.
    const double wide = ParseToken<double>(name, token);
    if (std::abs(wide) < 1) {
      return std::signbit(wide) ? -0.0f : 0.0f;
    }
  }
  const bool digits = !token.empty() && token.back() >= '0' && token.back() <= '9';
  if (error != std::errc() || end != token.data() + token.size() || !digits ||
      !std::isfinite(number)) {
    FailBody(
        fmt::format("vector \"{}\": {} is not a finite 32-bit number", name, token.substr(0, 40)));
  }
  return number;
}

void AppendAs(std::string& bytes, DataType type, std::string_view name, float number) {
  switch (type) {
    case DataType::kFloat16Vector:
      return AppendElement(bytes, FloatToHalf(number));
    case DataType::kBFloat16Vector:
      return AppendElement(bytes, FloatToBFloat16(number));
    case DataType::kInt8Vector:
      if (number != std::trunc(number) || number < -128 || number > 127) {
        FailBody(fmt::format("vector \"{}\": {} is not an integer from -128 to 127", name, number));
      }
      return AppendElement(bytes, static_cast<int8_t>(number));
    default:
      return AppendElement(bytes, number);
  }
}

Vector ReadDense(std::string_view name, sj::value value, const VectorFieldSchema& field) {
  Vector vector{.type = field.type, .bytes = {}};
  if (field.type == DataType::kFloatVector) {
    vector.bytes.reserve(size_t{field.dimension} * sizeof(float));
  }
  for (auto element : value.get_array()) {
    AppendAs(vector.bytes, field.type, name, ReadFloat(name, element.value()));
  }
  return vector;
}

Vector ReadSparse(std::string_view name, sj::value value) {
  std::vector<uint32_t> indices;
  std::vector<float> weights;
  for (auto member : value.get_object()) {
    const std::string_view part = member.unescaped_key();
    if (part == "indices") {
      for (auto element : member.value().get_array()) {
        indices.push_back(static_cast<uint32_t>(
            ReadInt(name, element.value(), 0, std::numeric_limits<uint32_t>::max() - 1)));
      }
    } else if (part == "values") {
      for (auto element : member.value().get_array()) {
        weights.push_back(ReadFloat(name, element.value()));
      }
    } else {
      UnknownMember(part, "indices, values");
    }
  }
  if (indices.size() != weights.size()) {
    FailBody(fmt::format("vector \"{}\" has {} indices and {} values", name, indices.size(),
                         weights.size()));
  }
  std::vector<size_t> order(indices.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return indices[a] < indices[b]; });
  Vector vector{.type = DataType::kSparseVector, .bytes = {}};
  for (const size_t i : order) {
    AppendElement(vector.bytes, indices[i]);
    AppendElement(vector.bytes, weights[i]);
  }
  return vector;
}

template <typename Element, typename Convert>
void AppendNumbers(std::string& out, std::string_view bytes, Convert convert) {
  out.push_back('[');
  for (size_t at = 0; at + sizeof(Element) <= bytes.size(); at += sizeof(Element)) {
    Element element;
    std::memcpy(&element, bytes.data() + at, sizeof(element));
    if (at > 0) {
      out.push_back(',');
    }
    convert(element);
  }
  out.push_back(']');
}

}  // namespace

Vector ReadVector(std::string_view name, sj::value value, const VectorFieldSchema& field) {
  const sj::json_type type = value.type();
  if (type == sj::json_type::string && field.type != DataType::kSparseVector) {
    Result<std::string> bytes = DecodeBase64(value.get_string());
    if (!bytes.ok()) {
      FailBody(fmt::format("vector \"{}\": {}", name, bytes.error().message));
    }
    return {.type = field.type, .bytes = *std::move(bytes)};
  }
  if (field.type == DataType::kSparseVector && type == sj::json_type::object) {
    return ReadSparse(name, value);
  }
  if (field.type == DataType::kBinaryVector || field.type == DataType::kSparseVector ||
      type != sj::json_type::array) {
    FailBody(fmt::format("vector \"{}\" must be {}", name,
                         field.type == DataType::kBinaryVector ? "base64 text of its bits"
                         : field.type == DataType::kSparseVector
                             ? R"({"indices": […], "values": […]})"
                             : "an array of numbers"));
  }
  return ReadDense(name, value, field);
}

void AppendVector(std::string& out, const Vector& vector) {
  switch (vector.type) {
    case DataType::kFloatVector:
      return AppendNumbers<float>(out, vector.bytes, [&](float x) { AppendJsonFloat(out, x); });
    case DataType::kFloat16Vector:
      return AppendNumbers<uint16_t>(out, vector.bytes,
                                     [&](uint16_t x) { AppendJsonFloat(out, HalfToFloat(x)); });
    case DataType::kBFloat16Vector:
      return AppendNumbers<uint16_t>(out, vector.bytes,
                                     [&](uint16_t x) { AppendJsonFloat(out, BFloat16ToFloat(x)); });
    case DataType::kInt8Vector:
      return AppendNumbers<int8_t>(out, vector.bytes, [&](int8_t x) { AppendJsonInt(out, x); });
    case DataType::kSparseVector: {
      struct Entry {
        uint32_t index;
        float value;
      };
      out += R"({"indices":)";
      AppendNumbers<Entry>(out, vector.bytes, [&](Entry e) { AppendJsonInt(out, e.index); });
      out += R"(,"values":)";
      AppendNumbers<Entry>(out, vector.bytes, [&](Entry e) { AppendJsonFloat(out, e.value); });
      out.push_back('}');
      return;
    }
    default:
      out.push_back('"');
      AppendBase64(out, vector.bytes);
      out.push_back('"');
  }
}

}  // namespace roost::rest
