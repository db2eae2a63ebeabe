#include "protocol/rest/json_body.h"

#include <fmt/format.h>

namespace roost::rest {

namespace {

std::string_view TypeName(sj::json_type type) {
  switch (type) {
    case sj::json_type::array:
      return "an array";
    case sj::json_type::object:
      return "an object";
    case sj::json_type::number:
      return "a number";
    case sj::json_type::string:
      return "a string";
    case sj::json_type::boolean:
      return "true or false";
    case sj::json_type::null:
      return "null";
  }
  return "something else";
}

void Expect(std::string_view name, sj::value& value, sj::json_type wanted) {
  const sj::json_type type = value.type();
  if (type != wanted) {
    FailBody(fmt::format("\"{}\" must be {}, not {}", name, TypeName(wanted), TypeName(type)));
  }
}

// simdjson says where it stopped only through the document; the byte tells a user enough.
std::string Describe(const simdjson::simdjson_error& error, sj::document& document,
                     const std::string& body) {
  const char* place = nullptr;
  if (document.current_location().get(place) == simdjson::SUCCESS && place >= body.data() &&
      place <= body.data() + body.size()) {
    return fmt::format("the body is not valid JSON near byte {}: {}", place - body.data(),
                       error.what());
  }
  return fmt::format("the body is not valid JSON: {}", error.what());
}

}  // namespace

void FailBody(std::string message) { throw BodyError{std::move(message)}; }

void UnknownMember(std::string_view name, std::string_view known) {
  FailBody(fmt::format("unknown member \"{}\"; known members: {}", name, known));
}

Status ReadBody(const std::string& body,
                const std::function<void(std::string_view, sj::value)>& member) {
  if (body.empty()) {
    return {};
  }
  static thread_local sj::parser parser;
  sj::document document;
  try {
    const simdjson::padded_string_view padded(body.data(), body.size(), body.capacity());
    if (padded.capacity() < body.size() + simdjson::SIMDJSON_PADDING) {
      std::string copy;
      copy.reserve(body.size() + simdjson::SIMDJSON_PADDING);
      copy.assign(body);
      return ReadBody(copy, member);
    }
    document = parser.iterate(padded);
    if (document.type() != sj::json_type::object) {
      return InvalidArgument("the body must be a JSON object");
    }
    for (auto field : document.get_object()) {
      const std::string_view name = field.unescaped_key();
      member(name, field.value());
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      return InvalidArgument("the body goes on after the end of the JSON object");
    }
    return {};
  } catch (const simdjson::simdjson_error& error) {
    return InvalidArgument(Describe(error, document, body));
  } catch (BodyError& error) {
    return InvalidArgument(std::move(error.message));
  }
}

std::string_view ReadString(std::string_view name, sj::value value) {
  Expect(name, value, sj::json_type::string);
  return value.get_string();
}

bool ReadBool(std::string_view name, sj::value value) {
  Expect(name, value, sj::json_type::boolean);
  return value.get_bool();
}

int64_t ReadInt(std::string_view name, sj::value value, int64_t least, int64_t most) {
  const auto number = ParseToken<int64_t>(name, NumberToken(name, value));
  if (number < least || number > most) {
    FailBody(fmt::format("\"{}\" is {}; it must be from {} to {}", name, number, least, most));
  }
  return number;
}

double ReadDouble(std::string_view name, sj::value value) {
  return ParseToken<double>(name, NumberToken(name, value));
}

std::string_view NumberToken(std::string_view name, sj::value value) {
  Expect(name, value, sj::json_type::number);
  std::string_view token = value.raw_json_token();
  while (!token.empty() && static_cast<unsigned char>(token.back()) <= ' ') {
    token.remove_suffix(1);
  }
  // The value is consumed by checking it: simdjson's own parser refuses what is no JSON number.
  const double checked = value.get_double();
  static_cast<void>(checked);
  return token;
}

}  // namespace roost::rest
