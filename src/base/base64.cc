#include "base/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace roost {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<std::string> DecodeBase64(std::string_view text) {
  static const std::array<int8_t, 256> kValues = [] {
    std::array<int8_t, 256> values;
    values.fill(-1);
    for (size_t i = 0; i < kAlphabet.size(); ++i) {
      values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
    }
    return values;
  }();
  if (text.size() % 4 != 0) {
    return InvalidArgument("base64 text must have a multiple of 4 characters");
  }
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  const auto value = [](char c) -> int32_t { return kValues[static_cast<unsigned char>(c)]; };
  std::string bytes(text.size() / 4 * 3, '\0');
  for (size_t i = 0, at = 0; i < text.size(); i += 4, at += 3) {
    const bool last = i + 4 == text.size();
    const int32_t third = last && padding == 2 ? 0 : value(text[i + 2]);
    const int32_t fourth = last && padding > 0 ? 0 : value(text[i + 3]);
    // What is no base64 is -1, and its sign survives the shifts and the ors.
    const int32_t group =
        value(text[i]) * (1 << 18) | value(text[i + 1]) * (1 << 12) | third * (1 << 6) | fourth;
    if (group < 0) {
      const auto bad = std::find_if(text.begin() + static_cast<ptrdiff_t>(i), text.end(),
                                    [&](char c) { return value(c) < 0; });
      return InvalidArgument("character " + std::to_string(bad - text.begin() + 1) +
                             " is not base64");
    }
    bytes[at] = static_cast<char>(group >> 16);
    bytes[at + 1] = static_cast<char>(group >> 8);
    bytes[at + 2] = static_cast<char>(group);
  }
  bytes.resize(bytes.size() - padding);
  return bytes;
}

void AppendBase64(std::string& out, std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < left ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      out.push_back(j <= left ? kAlphabet[group >> (18 - 6 * j) & 63] : '=');
    }
  }
}

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  AppendBase64(out, bytes);
  return out;
}

}  // namespace roost
