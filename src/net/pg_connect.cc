// How a session begins and ends, and how results are read.

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <poll.h>

#include "base/executor.h"
#include "net/pg_call.h"
#include "net/pg_connection.h"
#include "net/pg_error.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

std::string Where(const PgHost& host) { return host.host + ":" + std::to_string(host.port); }

/// No message may show the password, whoever wrote it.
std::string WithoutSecret(std::string text, const std::string& secret) {
  if (secret.empty()) {
    return text;
  }
  for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
    text.replace(at, secret.size(), "***");
  }
  return text;
}

std::vector<std::string> SplitComma(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Status SetHosts(PgOptions& options, const std::string& hosts, const std::string& ports) {
  const std::vector<std::string> names = SplitComma(hosts);
  const std::vector<std::string> numbers = SplitComma(ports);
  if (numbers.size() != 1 && numbers.size() != names.size()) {
    return InvalidArgument("PostgreSQL address: give one port, or one for each host");
  }
  options.hosts.clear();
  for (size_t i = 0; i < names.size(); ++i) {
    PgHost host;
    if (!names[i].empty()) {
      host.host = names[i];
    }
    const std::string& number = numbers.size() == 1 ? numbers[0] : numbers[i];
    if (!number.empty()) {
      const char* end = number.data() + number.size();
      const auto [stop, failure] = std::from_chars(number.data(), end, host.port);
      if (failure != std::errc() || stop != end || host.port == 0) {
        return InvalidArgument("PostgreSQL address: a port is a number from 1 to 65535");
      }
    }
    options.hosts.push_back(std::move(host));
  }
  return {};
}

}  // namespace

Result<PgOptions> ParsePgUri(std::string_view uri) {
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(std::string(uri).c_str(), &message);
  PQfreemem(message);  // It repeats parts of the text.
  if (parsed == nullptr) {
    return InvalidArgument(
        "the PostgreSQL address cannot be read; write "
        "postgresql://user:password@host:port/database "
        "with special characters as %XX");
  }
  PgOptions options;
  std::string hosts;
  std::string ports;
  std::string unknown;
  for (const PQconninfoOption* option = parsed; option->keyword != nullptr; ++option) {
    if (option->val == nullptr) {
      continue;
    }
    const std::string_view name = option->keyword;
    const std::string value = option->val;
    if (name == "host" || name == "hostaddr") {
      hosts = value;
    } else if (name == "port") {
      ports = value;
    } else if (name == "user") {
      options.user = value;
    } else if (name == "password") {
      options.password = value;
    } else if (name == "dbname") {
      options.database = value;
    } else if (name == "sslmode") {
      options.ssl_mode = value;
    } else if (name == "sslrootcert") {
      options.ssl_root_certificate = value;
    } else if (name == "application_name") {
      options.application_name = value;
    } else if (name == "connect_timeout") {
      options.connect_timeout = std::chrono::seconds(std::max(1, std::atoi(value.c_str())));
    } else if (name != "target_session_attrs" && name != "fallback_application_name") {
      unknown = name;
    }
  }
  PQconninfoFree(parsed);
  if (!unknown.empty()) {
    return InvalidArgument("the PostgreSQL address sets \"" + unknown +
                           "\", which is not supported; remove it");
  }
  TRY(SetHosts(options, hosts, ports));
  return options;
}

PgConnection::PgConnection(pg_conn* connection, int wake, const PgOptions& options)
    : connection_(connection), wake_(wake), options_(options) {}

PgConnection::~PgConnection() {
  PQfinish(connection_);
  close(wake_);
}

Result<std::unique_ptr<PgConnection>> PgConnection::Connect(const RequestContext& context,
                                                            const PgOptions& options) {
  std::optional<Error> last;
  for (const PgHost& host : options.hosts) {
    TRY(context.CheckAlive("connecting to PostgreSQL"));
    auto connection = ConnectTo(context, options, host);
    if (connection.ok()) {
      return connection;
    }
    Error error = connection.error();
    error.message = WithoutSecret(std::move(error.message), options.password);
    error.outcome_unknown = false;
    if (last) {
      error.message = last->message + "; " + error.message;
    }
    last = std::move(error);
    if (last->code == Code::kUnauthenticated || last->code == Code::kCancelled) {
      break;  // The other hosts would say the same.
    }
  }
  return last ? *std::move(last) : InvalidArgument("no PostgreSQL host is configured");
}

Result<std::unique_ptr<PgConnection>> PgConnection::ConnectTo(const RequestContext& context,
                                                              const PgOptions& options,
                                                              const PgHost& host) {
  const std::string port = std::to_string(host.port);
  std::vector<std::pair<const char*, const char*>> settings = {
      {"host", host.host.c_str()},
      {"port", port.c_str()},
      {"user", options.user.c_str()},
      {"dbname", options.database.c_str()},
      {"sslmode", options.ssl_mode.c_str()},
      {"application_name", options.application_name.c_str()},
      {"client_encoding", "UTF8"},
      {"target_session_attrs", "read-write"},
      // A peer that vanished is noticed, also by the blocking cancel.
      {"tcp_user_timeout", "15000"},
      {"keepalives_idle", "15"},
  };
  if (!options.password.empty()) {
    settings.emplace_back("password", options.password.c_str());
  }
  if (!options.ssl_root_certificate.empty()) {
    settings.emplace_back("sslrootcert", options.ssl_root_certificate.c_str());
  }
  std::vector<const char*> names;
  std::vector<const char*> values;
  for (const auto& [name, value] : settings) {
    names.push_back(name);
    values.push_back(value);
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  const int wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    return ResourceExhausted("no file descriptor is left for a connection to PostgreSQL");
  }
  pg_conn* raw = PQconnectStartParams(names.data(), values.data(), 0);
  if (raw == nullptr) {
    close(wake);
    return ResourceExhausted("no memory is left for a connection to PostgreSQL");
  }
  std::unique_ptr<PgConnection> connection(new PgConnection(raw, wake, options));
  connection->name_ = "PostgreSQL at " + Where(host);
  TRY(connection->FinishConnect(context, host));
  TRY(connection->ApplySettings(context));
  return connection;
}

Status PgConnection::FinishConnect(const RequestContext& context, const PgHost& host) {
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);  // The only way to the SQLSTATE here.
  PQsetNoticeReceiver(connection_, [](void*, const PGresult*) {}, nullptr);
  const Deadline limit = context.deadline.Min(Deadline::After(options_.connect_timeout));
  Call call(context, PgEffect::kRead, "connecting to PostgreSQL", wake_);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  if (PQstatus(connection_) == CONNECTION_BAD) {
    state = PGRES_POLLING_FAILED;
  }
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) {
      return PgConnectError(Where(host), PQerrorMessage(connection_));
    }
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    pollfd watched[2] = {{PQsocket(connection_), events, 0}, {wake_, POLLIN, 0}};
    const auto left = std::chrono::ceil<milliseconds>(limit.Remaining());
    const BlockingSection blocking;
    const int ready = poll(watched, 2, static_cast<int>(left.count()));
    if (watched[1].revents != 0 || context.stop.stop_requested()) {
      return Cancelled("the request was cancelled while connecting to PostgreSQL at " +
                       Where(host));
    }
    if (ready == 0 && limit.Passed()) {
      TRY(context.CheckAlive("connecting to PostgreSQL at " + Where(host)));
      return Unavailable("PostgreSQL at " + Where(host) + " did not answer within " +
                         std::to_string(options_.connect_timeout.count()) +
                         " ms; is it PostgreSQL? check host and port of the address");
    }
    if (ready > 0) {
      state = PQconnectPoll(connection_);
    }
  }
  PQsetErrorVerbosity(connection_, PQERRORS_DEFAULT);
  if (PQsetnonblocking(connection_, 1) != 0) {
    return Unavailable("the connection to PostgreSQL was lost at once");
  }
  return {};
}

Status PgConnection::ApplySettings(const RequestContext& context) {
  std::vector<PgStatement> statements;
  for (const auto& [name, value] : options_.settings) {
    PgStatement& statement = statements.emplace_back();
    statement.sql = "SELECT set_config($1, $2, false)";
    statement.params.Text(name);
    statement.params.Text(value);
  }
  if (statements.empty()) {
    return {};
  }
  auto applied = Run(context.WithTimeout(options_.connect_timeout), statements, PgEffect::kRead);
  return applied.ok() ? Status() : applied.error();
}

bool PgConnection::LooksAlive() {
  if (!usable_ || PQstatus(connection_) != CONNECTION_OK ||
      PQtransactionStatus(connection_) != PQTRANS_IDLE) {
    return false;
  }
  // What comes in unasked is nearly always the reason why the server ends the session.
  pollfd watched = {PQsocket(connection_), POLLIN, 0};
  return poll(&watched, 1, 0) == 0;
}

int PgConnection::server_version() const { return PQserverVersion(connection_); }
int PgConnection::backend_pid() const { return PQbackendPID(connection_); }

void PgResult::Delete::operator()(pg_result* result) const { PQclear(result); }

size_t PgResult::rows() const { return static_cast<size_t>(PQntuples(result_.get())); }
size_t PgResult::columns() const { return static_cast<size_t>(PQnfields(result_.get())); }

bool PgResult::IsNull(size_t row, size_t column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
}

std::string_view PgResult::Bytes(size_t row, size_t column) const {
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<size_t>(PQgetlength(result_.get(), r, c))};
}

int64_t PgResult::Int(size_t row, size_t column) const {
  const std::string_view bytes = Bytes(row, column);
  PgReader reader(bytes);
  switch (bytes.size()) {
    case 1:
      return reader.Uint8();
    case 2:
      return reader.Int16();
    case 4:
      return reader.Int32();
    case 8:
      return reader.Int64();
    default:
      return 0;
  }
}

uint64_t PgResult::affected() const {
  return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10);
}

}  // namespace roost
