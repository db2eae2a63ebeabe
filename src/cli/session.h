#pragma once

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cli/api.h"
#include "cli/table.h"

namespace roost {

/// What the program's exit status means; docs/cli.md has the same table.
enum class ExitStatus : int {
  kOk = 0,
  kFailed = 1,       ///< something did not work, or a part of it
  kUsage = 2,        ///< the command line, or what it asks for, is wrong
  kNotFound = 3,     ///< no such collection, record, move, file
  kUnreachable = 4,  ///< nobody answers at the server's address
  kRefused = 5,      ///< not in the present state: it exists, it moves, it is not verified
  kBusy = 6,         ///< overloaded, not ready, or not done in time: try again
  kInterrupted = 130,
};

struct GlobalOptions {
  std::string url = "http://127.0.0.1:19530";
  std::string output = "table";  ///< or "json"
  double timeout_seconds = 60;   ///< of one request
  bool quiet = false;
};

/// Where a run's words go and what the other side can show.
struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool out_is_tty = false;
  bool err_is_tty = false;
  bool in_is_tty = false;
  bool color = false;
  size_t width = 0;  ///< columns of the terminal; 0: no limit
};

/// The process's own streams, NO_COLOR and COLUMNS honoured.
Terminal ProcessTerminal();

/// One run of the program. The chosen command sets `action`, which runs after the whole command
/// line was read. Used by one thread, save for api().
class Session {
 public:
  explicit Session(Terminal terminal) : terminal_(terminal) {}

  GlobalOptions options;
  std::function<Result<ExitStatus>()> action;
  /// A store that the command speaks to itself did not answer.
  bool store_unreachable = false;

  /// The server at options.url; made at the first call.
  Api& api();
  const Terminal& terminal() const { return terminal_; }
  Clock& clock() { return clock_; }
  bool json() const { return options.output == "json"; }

  /// A line of JSON on standard output, as it is.
  void PrintJson(std::string_view text);
  void Print(const Table& table);
  /// A line on standard output, for people; nothing with --json.
  void Say(std::string_view line);
  /// A line on standard error; nothing with --quiet.
  void Note(std::string_view line);

  /// Asks "… [y/N]" on a terminal. Elsewhere kInvalidArgument says to give --yes.
  Status Confirm(std::string_view question);

  /// Writes the error where it belongs and tells the exit status.
  ExitStatus Fail(const Error& error);

 private:
  Terminal terminal_;
  SystemClock clock_;
  std::unique_ptr<Api> api_;
};

/// The whole of a file, or of standard input where `path` is "-"; 64 MiB at most.
Result<std::string> ReadInput(const std::string& path);

ExitStatus ExitStatusOf(Code code, bool unreachable);

/// After the first call SIGINT only makes Interrupted() true; a second one ends the process.
void CatchInterrupts();
bool Interrupted();

}  // namespace roost
