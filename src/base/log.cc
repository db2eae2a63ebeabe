#include "base/log.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "base/json.h"

namespace roost {

namespace {

constexpr std::string_view kLevelNames[] = {"trace", "debug", "info", "warning", "error", "off"};
constexpr size_t kLevelWidth = 7;
constexpr size_t kMessageWidth = 40;

/// The process's log. Made with the defaults at first use and never destroyed, so that even the
/// last destructors may write.
struct LogState {
  std::atomic<LogLevel> level = LogLevel::kInfo;
  std::mutex mutex;
  bool json = false;
  std::shared_ptr<spdlog::logger> logger;
};

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("roost", std::move(sink));
  logger->set_pattern("%v");  // The line is made here; spdlog writes it.
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  logger->set_error_handler([](const std::string&) {});
  return logger;
}

LogState& State() {
  static LogState& state = *[] {
    auto* made = new LogState;
    made->logger = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    return made;
  }();
  return state;
}

/// "2024-05-06T07:08:09.123456Z".
std::string TimeStamp() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto micros = std::chrono::floor<std::chrono::microseconds>(now - seconds).count();
  const std::time_t time = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  const int size =
      std::snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
                    parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                    static_cast<int>(micros));
  return std::string(text, static_cast<size_t>(size));
}

bool NeedsQuotes(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
      return true;
    }
  }
  return text.empty();
}

/// `text` with control characters as \n, \u001b, …, so that no value can forge a line or drive a
/// terminal.
void AppendPlain(std::string& line, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\t') {
      line += "\\t";
    } else if (c == '\r') {
      line += "\\r";
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      line += escaped;
    } else {
      line += c;
    }
  }
}

std::string TextLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
  std::string line = TimeStamp();
  line += "  ";
  for (const char c : kLevelNames[static_cast<size_t>(level)]) {
    line += static_cast<char>(c - 'a' + 'A');
  }
  line.append(kLevelWidth - kLevelNames[static_cast<size_t>(level)].size() + 2, ' ');
  const size_t start = line.size();
  AppendPlain(line, message);
  if (fields.size() > 0 && line.size() - start < kMessageWidth) {
    line.append(kMessageWidth - (line.size() - start), ' ');
  }
  for (const LogField& field : fields) {
    line += "  ";
    line += field.name;
    line += '=';
    if (NeedsQuotes(field.value)) {
      AppendJsonString(line, field.value);
    } else {
      line += field.value;
    }
  }
  return line;
}

std::string JsonLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields) {
  std::string line = R"({"ts":")" + TimeStamp() + R"(","level":")";
  line += kLevelNames[static_cast<size_t>(level)];
  line += R"(","message":)";
  AppendJsonString(line, message);
  line += R"(,"fields":{)";
  bool first = true;
  for (const LogField& field : fields) {
    if (!first) {
      line += ',';
    }
    first = false;
    AppendJsonString(line, field.name);
    line += ':';
    if (field.bare) {
      line += field.value;
    } else {
      AppendJsonString(line, field.value);
    }
  }
  line += "}}";
  return line;
}

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);
}

}  // namespace

LogField::LogField(std::string_view field_name, double number)
    : name(field_name), bare(std::isfinite(number)) {
  AppendJsonDouble(value, number);
}

LogField::LogField(std::string_view field_name, float number)
    : name(field_name), bare(std::isfinite(number)) {
  AppendJsonFloat(value, number);
}

std::string Secret(std::string_view text) { return text.empty() ? "" : "***"; }

Status InitLog(const LogOptions& options) {
  LogState& state = State();
  std::shared_ptr<spdlog::logger> logger;
  try {
    if (options.file.empty()) {
      logger = MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
    } else {
      logger = MakeLogger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    }
  } catch (const std::exception& error) {
    return Unavailable("cannot write the log to " + options.file + ": " + error.what());
  }
  std::lock_guard lock(state.mutex);
  state.level = options.level;
  state.json = options.json;
  state.logger = std::move(logger);
  return {};
}

Result<LogLevel> ParseLogLevel(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (lower == "warn") {
    return LogLevel::kWarning;
  }
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (lower == kLevelNames[i]) {
      return static_cast<LogLevel>(i);
    }
  }
  return InvalidArgument("\"" + std::string(text) +
                         "\" is not a log level; choose trace, debug, info, warning, error or off");
}

bool LogEnabled(LogLevel level) {
  return level != LogLevel::kOff && level >= State().level.load(std::memory_order_relaxed);
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) {
    return;
  }
  try {
    LogState& state = State();
    std::shared_ptr<spdlog::logger> logger;
    bool json = false;
    {
      std::lock_guard lock(state.mutex);
      logger = state.logger;
      json = state.json;
    }
    logger->log(SpdlogLevel(level),
                json ? JsonLine(level, message, fields) : TextLine(level, message, fields));
  } catch (...) {
    // There is no better place to complain to; the caller's work matters more than the line.
  }
}

}  // namespace roost
