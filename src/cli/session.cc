#include "cli/session.h"

#include <cstdlib>
#include <iostream>

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/json.h"
#include "base/strings.h"

namespace roost {

namespace {

volatile sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

size_t TerminalWidth() {
  if (const char* columns = std::getenv("COLUMNS")) {
    if (const Result<uint64_t> width = ParseUint64(columns); width.ok() && *width > 0) {
      return *width;
    }
  }
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

Terminal ProcessTerminal() {
  Terminal terminal{.out = std::cout, .err = std::cerr};
  terminal.out_is_tty = ::isatty(STDOUT_FILENO) == 1;
  terminal.err_is_tty = ::isatty(STDERR_FILENO) == 1;
  terminal.in_is_tty = ::isatty(STDIN_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  terminal.color = terminal.out_is_tty && (no_color == nullptr || *no_color == '\0');
  terminal.width = terminal.out_is_tty ? TerminalWidth() : 0;
  return terminal;
}

Api& Session::api() {
  if (api_ == nullptr) {
    const auto timeout = std::chrono::duration<double>(options.timeout_seconds);
    api_ = std::make_unique<Api>(
        Api::Options{.url = options.url,
                     .timeout = std::chrono::duration_cast<std::chrono::milliseconds>(timeout),
                     .give_up = Interrupted},
        clock_);
  }
  return *api_;
}

void Session::PrintJson(std::string_view text) { terminal_.out << text << '\n'; }

void Session::Print(const Table& table) {
  terminal_.out << table.Render({.width = terminal_.width, .color = terminal_.color});
}

void Session::Say(std::string_view line) {
  if (!json()) {
    terminal_.out << line << '\n';
  }
}

void Session::Note(std::string_view line) {
  if (!options.quiet) {
    terminal_.err << line << std::endl;
  }
}

Status Session::Confirm(std::string_view question) {
  if (!terminal_.in_is_tty) {
    return InvalidArgument("this cannot be undone; say so with --yes");
  }
  terminal_.err << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (ToLower(Trim(answer)) != "y" && ToLower(Trim(answer)) != "yes") {
    return Cancelled("nothing was done");
  }
  return {};
}

ExitStatus Session::Fail(const Error& error) {
  const bool unreachable = store_unreachable || (api_ != nullptr && api_->unreachable());
  const ExitStatus status = ExitStatusOf(error.code, unreachable);
  terminal_.out << std::flush;
  if (json()) {
    std::string line = R"({"error":{"code":)";
    AppendJsonString(line, CodeName(error.code));
    line += R"(,"message":)";
    AppendJsonString(line, error.message);
    line += R"(,"exit":)" + std::to_string(static_cast<int>(status)) + "}}";
    terminal_.err << line << std::endl;
  } else {
    terminal_.err << "roost: " << error.message << std::endl;
  }
  return status;
}

Result<std::string> ReadInput(const std::string& path) {
  constexpr size_t kMostBytes = size_t{64} << 20;
  if (path != "-") {
    return MakePosixFileSystem()->ReadAll(path, kMostBytes);
  }
  std::string text;
  char piece[65'536];
  while (std::cin.read(piece, sizeof piece), std::cin.gcount() > 0) {
    text.append(piece, static_cast<size_t>(std::cin.gcount()));
    if (text.size() > kMostBytes) {
      return InvalidArgument("standard input holds more than " + HumanBytes(kMostBytes));
    }
  }
  return text;
}

ExitStatus ExitStatusOf(Code code, bool unreachable) {
  switch (code) {
    case Code::kOk:
      return ExitStatus::kOk;
    case Code::kInvalidArgument:
    case Code::kOutOfRange:
    case Code::kUnimplemented:
      return ExitStatus::kUsage;
    case Code::kNotFound:
      return ExitStatus::kNotFound;
    case Code::kUnavailable:
      return unreachable ? ExitStatus::kUnreachable : ExitStatus::kBusy;
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kAborted:
      return ExitStatus::kRefused;
    case Code::kResourceExhausted:
    case Code::kDeadlineExceeded:
      return ExitStatus::kBusy;
    case Code::kCancelled:
      return interrupted != 0 ? ExitStatus::kInterrupted : ExitStatus::kFailed;
    default:
      return ExitStatus::kFailed;
  }
}

void CatchInterrupts() {
  struct sigaction action{};
  action.sa_handler = OnInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

bool Interrupted() { return interrupted != 0; }

}  // namespace roost
