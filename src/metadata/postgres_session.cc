#include "metadata/postgres_session.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace roost {
namespace {

constexpr int kOldestVersion = 150'000;

/// Bytes of the code point at the beginning of `text`; 0 when there is none.
size_t CodePointSize(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) {
    return byte(0) == 0 ? 0 : 1;
  }
  const auto size = static_cast<size_t>(std::countl_one(byte(0)));
  if (size < 2 || size > 4 || size > text.size()) {
    return 0;
  }
  uint32_t point = byte(0) & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) {
      return 0;
    }
    point = point << 6 | (byte(i) & 0x3FU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < kLeast[size] || point > 0x10FFFF || surrogate ? 0 : size;
}

}  // namespace

std::string CleanText(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const size_t size = CodePointSize(text);
    clean += size == 0 ? std::string_view("?") : text.substr(0, size);
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return clean;
}

PgOptions ControlSessions(PgOptions options) {
  // A role or database may have defaults of its own; what matters here is said.
  options.settings.insert(options.settings.end(),
                          {{"default_transaction_isolation", "read committed"},
                           {"default_transaction_read_only", "off"},
                           {"idle_session_timeout", "0"},
                           {"tcp_keepalives_idle", "10"},
                           {"tcp_keepalives_interval", "5"},
                           {"tcp_keepalives_count", "3"},
                           {"client_connection_check_interval", "2000"}});
  return options;
}

Status PrepareControlSession(const RequestContext& context, PgConnection& session) {
  if (session.server_version() < kOldestVersion) {
    return FailedPrecondition(
        session.name() + " is older than version 15; the control store needs " + "15 or newer");
  }
  const PgResult row = TRY(session.Run(
      context,
      "SELECT current_setting('server_encoding'), CASE WHEN current_setting('synchronous_commit') "
      "= 'off' THEN set_config('synchronous_commit', 'on', false) END"));
  if (row.Text(0, 0) != "UTF8") {
    return FailedPrecondition("the database of the control store in " + session.name() +
                              " has the encoding " + row.Text(0, 0) +
                              "; make one with ENCODING 'UTF8'");
  }
  return {};
}

Result<std::unique_ptr<PgConnection>> OpenControlSession(const RequestContext& context,
                                                         const PgOptions& options) {
  auto session = TRY(PgConnection::Connect(context, options));
  TRY(PrepareControlSession(context, *session));
  return session;
}

PgParams ToPostgres(std::span<const ControlValue> values) {
  PgParams params;
  for (const ControlValue& value : values) {
    if (const auto* number = std::get_if<int64_t>(&value)) {
      params.Int64(*number);
    } else if (const auto* text = std::get_if<std::string_view>(&value)) {
      params.Text(*text);
    } else if (const auto* blob = std::get_if<ControlBlob>(&value)) {
      params.Raw(pg::kBytea, std::string(blob->bytes));
    } else if (const auto* prose = std::get_if<ControlProse>(&value)) {
      params.Text(CleanText(prose->text));
    } else {
      params.Null(0);  // Of the column's type.
    }
  }
  return params;
}

PgStatement ToPostgres(const ControlStatement& statement) {
  return {.sql = statement.sql, .params = ToPostgres(std::span(statement.values))};
}

}  // namespace roost
