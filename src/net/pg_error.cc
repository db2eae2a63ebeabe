#include "net/pg_error.h"

#include <array>
#include <cctype>
#include <utility>

namespace roost {
namespace {

using Row = std::pair<std::string_view, Code>;

/// By prefix; the first that fits counts, so exceptions stand before their class.
constexpr std::array kCodes = {
    Row{"08", Code::kUnavailable},            // connection exceptions
    Row{"0A", Code::kUnimplemented},          // feature not supported
    Row{"21", Code::kInternal},               // cardinality: a key twice in one statement
    Row{"22", Code::kInvalidArgument},        // data exceptions
    Row{"23505", Code::kAlreadyExists},       // unique violation
    Row{"23", Code::kInvalidArgument},        // other constraints
    Row{"25006", Code::kUnavailable},         // read-only transaction: we talk to a standby
    Row{"25P0", Code::kAborted},              // transaction timed out or failed
    Row{"28", Code::kUnauthenticated},        // authorization
    Row{"3D000", Code::kFailedPrecondition},  // no such database
    Row{"3F000", Code::kFailedPrecondition},  // no such schema
    Row{"40003", Code::kUnavailable},         // completion unknown
    Row{"40", Code::kAborted},                // serialization failure, deadlock
    Row{"42501", Code::kPermissionDenied},
    Row{"42P01", Code::kNotFound},        // no such table
    Row{"42P07", Code::kAlreadyExists},   // table
    Row{"42710", Code::kAlreadyExists},   // other object
    Row{"42P06", Code::kAlreadyExists},   // schema
    Row{"42", Code::kInternal},           // syntax, unknown column or function: our statement
    Row{"53", Code::kResourceExhausted},  // disk, memory, connections
    Row{"54", Code::kInvalidArgument},    // a limit of the program
    Row{"55P03", Code::kAborted},         // lock not available
    Row{"55006", Code::kAborted},         // object in use
    Row{"55", Code::kFailedPrecondition},
    Row{"57014", Code::kDeadlineExceeded},  // cancelled, statement_timeout
    Row{"57", Code::kUnavailable},          // shutdown, crash, cannot connect now
    Row{"58", Code::kInternal},             // system error
    Row{"XX001", Code::kDataLoss},
    Row{"XX002", Code::kDataLoss},
    Row{"XX", Code::kInternal},
};

bool IsSqlState(std::string_view text) {
  for (const char c : text) {
    if (!std::isupper(static_cast<unsigned char>(c)) &&
        !std::isdigit(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return text.size() == 5;
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

Code PgErrorCode(std::string_view sqlstate) {
  for (const auto& [prefix, code] : kCodes) {
    if (sqlstate.starts_with(prefix)) {
      return code;
    }
  }
  return Code::kUnknown;
}

Error PgError(std::string_view sqlstate, std::string_view message, std::string_view hint,
              std::string_view server) {
  std::string text(server);
  text += ": ";
  text += message;
  text += " (";
  text += sqlstate;
  text += ')';
  if (!hint.empty()) {
    text += "; ";
    text += hint;
  }
  return {PgErrorCode(sqlstate), std::move(text)};
}

Error PgConnectError(std::string_view where, std::string_view text) {
  const std::string server = "PostgreSQL at " + std::string(where);
  const auto says = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  constexpr std::string_view kCredentials = "; check user and password of the address";
  // Verbose messages read "…: FATAL:  28P01: password authentication failed …\nLOCATION: …".
  for (const std::string_view severity : {"FATAL:  ", "ERROR:  "}) {
    const size_t at = text.rfind(severity);
    if (at == std::string_view::npos) {
      continue;
    }
    const std::string_view rest = text.substr(at + severity.size());
    if (IsSqlState(rest.substr(0, 5)) && rest.substr(5, 2) == ": ") {
      Error error = PgError(rest.substr(0, 5), FirstLine(rest.substr(7)), "", server);
      if (error.code == Code::kUnauthenticated) {
        error.message += kCredentials;
      }
      return error;
    }
  }
  while (!text.empty() && text.back() == '\n') {
    text.remove_suffix(1);
  }
  std::string message(text);
  for (char& c : message) {
    c = c == '\n' || c == '\t' ? ' ' : c;
  }
  message = server + ": " + message;
  // The rest comes from libpq itself, without a SQLSTATE.
  if (says("no password supplied")) {
    return {Code::kUnauthenticated, message.append(kCredentials)};
  }
  if (says("certificate")) {
    return Unavailable(message +
                       "; check its certificate (has it expired? is it for this host?) and "
                       "sslrootcert");
  }
  if (says("received invalid response") || says("expected authentication request")) {
    return FailedPrecondition(message +
                              "; that is no PostgreSQL: check host and port of the address");
  }
  return Unavailable(message + "; check host and port of the address");
}

}  // namespace roost
