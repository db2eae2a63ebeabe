#include "store/json_value.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/json.h"

namespace roost {
namespace {

constexpr int kMaxDepth = 200;  // above what CanonicalJson lets through

void AppendUtf8(std::string& out, uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | (code_point >> 6));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | (code_point >> 12));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (code_point >> 18));
    out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (code_point & 0x3F));
  }
}

/// Walks canonical JSON. Each Skip/Read function moves past one value or gives up (nullopt, false).
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool Eat(char c) {
    if (position_ < text_.size() && text_[position_] == c) {
      ++position_;
      return true;
    }
    return false;
  }
  char Peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  /// The text of the value here.
  std::optional<std::string_view> TakeValue() {
    const size_t start = position_;
    int depth = 0;
    do {
      const char c = Peek();
      if (c == '"') {
        if (!SkipString()) {
          return std::nullopt;
        }
      } else if (c == '{' || c == '[') {
        ++depth;
        ++position_;
        continue;
      } else if (c == '}' || c == ']') {
        --depth;
        ++position_;
      } else if (c == ',' || c == ':') {
        ++position_;
        continue;
      } else if (!SkipWord()) {
        return std::nullopt;
      }
      if (depth == 0) {
        return text_.substr(start, position_ - start);
      }
    } while (position_ < text_.size() && depth > 0);
    return std::nullopt;
  }

  std::optional<std::string> TakeString() {
    const size_t start = position_ + 1;
    if (!SkipString()) {
      return std::nullopt;
    }
    return Unescape(text_.substr(start, position_ - 1 - start));
  }

 private:
  bool SkipString() {
    if (!Eat('"')) {
      return false;
    }
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == '"') {
        return true;
      }
      if (c == '\\') {
        ++position_;
      }
    }
    return false;
  }

  bool SkipWord() {
    const size_t start = position_;
    position_ = std::min(text_.find_first_of(",:]}[{\"", position_), text_.size());
    return position_ > start;
  }

  static std::string_view Part(std::string_view text, size_t position, size_t size) {
    return position < text.size() ? text.substr(position, size) : std::string_view();
  }

  static uint32_t Hex4(std::string_view digits) {
    uint32_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
  }

  static std::string Unescape(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\' || i + 1 >= text.size()) {
        out += text[i];
        continue;
      }
      const char c = text[++i];
      constexpr std::string_view kNames = "bfnrt";
      constexpr std::string_view kMeanings = "\b\f\n\r\t";
      const size_t known = kNames.find(c);
      if (known != std::string_view::npos) {
        out += kMeanings[known];
      } else if (c == 'u') {
        uint32_t code_point = Hex4(Part(text, i + 1, 4));
        i += 4;
        if (code_point >= 0xD800 && code_point < 0xDC00 && Part(text, i + 1, 2) == "\\u") {
          code_point = 0x10000 + ((code_point - 0xD800) << 10) +
                       ((Hex4(Part(text, i + 3, 4)) - 0xDC00) & 0x3FF);
          i += 6;
        }
        AppendUtf8(out, code_point);
      } else {
        out += c;
      }
    }
    return out;
  }

  std::string_view text_;
  size_t position_ = 0;
};

Value NumberToValue(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  int64_t integer = 0;
  const auto [stop, error] = std::from_chars(begin, end, integer);
  if (error == std::errc() && stop == end) {
    return integer;
  }
  double number = 0;
  const auto [double_stop, double_error] = std::from_chars(begin, end, number);
  if (double_stop != end || double_error == std::errc::invalid_argument) {
    return {};
  }
  // from_chars leaves numbers below the smallest double alone: they are zero.
  return number;
}

/// Calls `visit(value text)` for the elements of an array until it returns false.
template <typename Visit>
void ForElements(std::string_view json, Visit visit) {
  Reader reader(json);
  if (!reader.Eat('[') || reader.Peek() == ']') {
    return;
  }
  do {
    const auto element = reader.TakeValue();
    if (!element || !visit(*element)) {
      return;
    }
  } while (reader.Eat(','));
}

/// Calls `visit(name, value text)` for the members of an object until it returns false.
template <typename Visit>
void ForMembers(std::string_view json, Visit visit) {
  Reader reader(json);
  if (!reader.Eat('{') || reader.Peek() == '}') {
    return;
  }
  do {
    auto name = reader.TakeString();
    if (!name || !reader.Eat(':')) {
      return;
    }
    const auto member = reader.TakeValue();
    if (!member || !visit(*std::move(name), *member)) {
      return;
    }
  } while (reader.Eat(','));
}

Value ToValue(std::string_view json, int depth) {
  if (json.empty() || depth > kMaxDepth || json == "null") {
    return {};
  }
  switch (json[0]) {
    case 't':
      return true;
    case 'f':
      return false;
    case '"': {
      auto text = Reader(json).TakeString();
      return text ? Value(*std::move(text)) : Value();
    }
    case '{':
      return Json{std::string(json)};
    case '[': {
      Array elements;
      ForElements(json, [&](std::string_view element) {
        elements.push_back(ToValue(element, depth + 1));
        return true;
      });
      return elements;
    }
    default:
      return NumberToValue(json);
  }
}

std::optional<std::string_view> Step(std::string_view json, const JsonPath::value_type& step) {
  std::optional<std::string_view> found;
  if (const auto* name = std::get_if<std::string>(&step)) {
    ForMembers(json, [&](const std::string& member, std::string_view value) {
      if (member == *name) {
        found = value;
      }
      return !found;
    });
    return found;
  }
  int64_t left = std::get<int64_t>(step);
  if (left < 0) {
    return found;
  }
  ForElements(json, [&](std::string_view element) {
    if (left-- == 0) {
      found = element;
    }
    return !found;
  });
  return found;
}

}  // namespace

Value JsonToValue(std::string_view json) { return ToValue(json, 0); }

Value JsonAt(std::string_view json, const JsonPath& path) {
  for (const auto& step : path) {
    const auto next = Step(json, step);
    if (!next) {
      return {};
    }
    json = *next;
  }
  return JsonToValue(json);
}

std::vector<std::pair<std::string, std::string>> JsonMembers(std::string_view json) {
  std::vector<std::pair<std::string, std::string>> members;
  ForMembers(json, [&](std::string name, std::string_view value) {
    members.emplace_back(std::move(name), std::string(value));
    return true;
  });
  return members;
}

void AppendJsonValue(std::string& out, const Value& value) {
  switch (value.index()) {
    case 0:
      out += "null";
      break;
    case 1:
      out += std::get<bool>(value) ? "true" : "false";
      break;
    case 2:
      AppendJsonInt(out, std::get<int64_t>(value));
      break;
    case 3:
      AppendJsonDouble(out, std::get<double>(value));
      break;
    case 4:
      AppendJsonString(out, std::get<std::string>(value));
      break;
    case 5:
      out += std::get<Json>(value).text;
      break;
    default: {
      out += '[';
      bool first = true;
      for (const auto& element : std::get<Array>(value)) {
        out += first ? "" : ",";
        first = false;
        AppendJsonValue(out, element);
      }
      out += ']';
    }
  }
}

std::string JsonObject(std::vector<std::pair<std::string, std::string>> members) {
  if (members.empty()) {
    return {};
  }
  std::sort(members.begin(), members.end());
  std::string out = "{";
  for (const auto& [name, value] : members) {
    out += out.size() == 1 ? "" : ",";
    AppendJsonString(out, name);
    out += ':';
    out += value;
  }
  return out + '}';
}

}  // namespace roost
