#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.h"

namespace roost {

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarning, kError, kOff };

/// A named value beside the message. Secrets must be wrapped in Secret().
struct LogField {
  std::string_view name;
  std::string value;
  bool bare = false;  ///< a number or a truth value: no quotes in JSON

  LogField(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, const std::string& text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, const char* text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, bool flag)
      : name(field_name), value(flag ? "true" : "false"), bare(true) {}
  template <typename Number>
    requires std::is_integral_v<Number>
  LogField(std::string_view field_name, Number number)
      : name(field_name), value(std::to_string(number)), bare(true) {}
  /// The shortest text that reads back as the same number.
  LogField(std::string_view field_name, double number);
  LogField(std::string_view field_name, float number);
  LogField(std::string_view field_name, const Error& error)
      : name(field_name), value(error.ToString()) {}
};

/// "***" for anything not empty.
std::string Secret(std::string_view text);

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  bool json = false;  ///< one JSON object a line; else text for people
  std::string file;   ///< appended to, made when absent; empty: standard error
};
/// Sets up the process's one log. Call once, before threads start; without it the defaults hold.
/// kUnavailable when the file cannot be opened; the log then stays as it was.
Status InitLog(const LogOptions& options);
/// "trace", "debug", "info", "warning" (or "warn"), "error", "off", in any case.
Result<LogLevel> ParseLogLevel(std::string_view text);
bool LogEnabled(LogLevel level);

/// Writes one line: time, level, message, fields. Thread safe. `message` is a constant sentence;
/// what varies goes into fields. Control characters are escaped. Never throws; a line that cannot
/// be written is lost.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void LogInfo(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, message, fields);
}
inline void LogDebug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  if (LogEnabled(LogLevel::kDebug)) {
    Log(LogLevel::kDebug, message, fields);
  }
}

}  // namespace roost
