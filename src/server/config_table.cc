#include "server/config_table.h"

#include <charconv>

#include <fmt/format.h>

namespace roost {

namespace {

template <typename Number>
Result<Number> ParseNumber(std::string_view text, uint64_t least, uint64_t most) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    return InvalidArgument(fmt::format("must be a whole number from {} to {}", least, most));
  }
  return static_cast<Number>(number);
}

// A key for a whole number found by `find`, which returns a reference into the config.
template <typename Find>
ConfigKey Number(std::string name, uint64_t least, uint64_t most, std::string help, Find find) {
  return {std::move(name), std::move(help),
          [=](ServerConfig& config, std::string_view text) -> Status {
            auto& target = find(config);
            target = TRY(ParseNumber<std::remove_reference_t<decltype(target)>>(text, least, most));
            return {};
          },
          [=](const ServerConfig& config) {
            return std::to_string(find(const_cast<ServerConfig&>(config)));
          }};
}

template <typename Find>
ConfigKey Duration(std::string name, uint64_t least, uint64_t most, std::string help, Find find) {
  return {std::move(name), std::move(help),
          [=](ServerConfig& config, std::string_view text) -> Status {
            auto& target = find(config);
            const uint64_t count = TRY(ParseNumber<uint64_t>(text, least, most));
            target = std::remove_reference_t<decltype(target)>(count);
            return {};
          },
          [=](const ServerConfig& config) {
            return std::to_string(find(const_cast<ServerConfig&>(config)).count());
          }};
}

template <typename Find>
ConfigKey Text(std::string name, std::string help, Find find) {
  return {std::move(name), std::move(help),
          [=](ServerConfig& config, std::string_view text) -> Status {
            find(config) = std::string(text);
            return {};
          },
          [=](const ServerConfig& config) { return find(const_cast<ServerConfig&>(config)); }};
}

template <typename Find>
ConfigKey Flag(std::string name, std::string help, Find find) {
  return {std::move(name), std::move(help),
          [=](ServerConfig& config, std::string_view text) -> Status {
            if (text != "true" && text != "false") {
              return InvalidArgument("must be true or false");
            }
            find(config) = text == "true";
            return {};
          },
          [=](const ServerConfig& config) {
            return std::string(find(const_cast<ServerConfig&>(config)) ? "true" : "false");
          }};
}

constexpr uint64_t kMillion = 1'000'000;
constexpr uint64_t kTerabyte = uint64_t{1} << 40;

void AddMetadataKeys(std::vector<ConfigKey>& keys) {
  keys.push_back({.name = "metadata.uri",
                  .help = "postgresql://USER@HOST:PORT/DATABASE that keeps Roost's own records; "
                          "empty: SQLite in the data folder",
                  .set = [](ServerConfig& config, std::string_view text) -> Status {
                    if (!text.empty() && !text.starts_with("postgresql://") &&
                        !text.starts_with("postgres://")) {
                      return InvalidArgument("must begin with postgresql:// or be empty");
                    }
                    config.metadata.uri = std::string(text);
                    return {};
                  },
                  .show = [](const ServerConfig& c) { return HideSecrets(c.metadata.uri); },
                  .secret = true});
  keys.push_back(Number("metadata.max_queued", 1, kMillion,
                        "changes that wait for PostgreSQL; above, they are refused",
                        [](ServerConfig& c) -> auto& { return c.metadata.max_queued; }));
  keys.push_back(Number("metadata.max_group", 1, 65'536, "changes in one commit of PostgreSQL",
                        [](ServerConfig& c) -> auto& { return c.metadata.max_group; }));
  keys.push_back(Number("metadata.read_connections", 1, 1'000,
                        "sessions of PostgreSQL for Roost's records, beside the one that writes",
                        [](ServerConfig& c) -> auto& { return c.metadata.read_connections; }));
  keys.push_back(Duration("metadata.call_timeout_ms", 1, 3'600'000,
                          "of one commit or read of PostgreSQL",
                          [](ServerConfig& c) -> auto& { return c.metadata.call_timeout; }));
  keys.push_back(Duration("metadata.give_up_ms", 1, 3'600'000,
                          "how long changes wait for a PostgreSQL that is away",
                          [](ServerConfig& c) -> auto& { return c.metadata.give_up; }));
  keys.push_back(Duration("metadata.lease_ms", 100, 3'600'000,
                          "how long the gateway serves without contact to PostgreSQL",
                          [](ServerConfig& c) -> auto& { return c.metadata.lease; }));
}

void AddServerKeys(std::vector<ConfigKey>& keys) {
  keys.push_back(Text("data.folder", "folder of the embedded store and of Roost's own records",
                      [](ServerConfig& c) -> auto& { return c.data_folder; }));
  keys.push_back(Text("server.address", "address to listen on",
                      [](ServerConfig& c) -> auto& { return c.server.address; }));
  keys.push_back(Number("server.port", 0, 65'535, "port to listen on; 0 takes any free one",
                        [](ServerConfig& c) -> auto& { return c.server.port; }));
  keys.push_back(Number("server.io_threads", 1, 64, "event loops",
                        [](ServerConfig& c) -> auto& { return c.server.io_threads; }));
  keys.push_back(Number("server.max_connections", 1, kMillion, "connections at once",
                        [](ServerConfig& c) -> auto& { return c.server.max_connections; }));
  keys.push_back(Number("server.max_header_bytes", 1'024, kMillion, "of one request",
                        [](ServerConfig& c) -> auto& { return c.server.max_header_bytes; }));
  keys.push_back(Number("server.max_body_bytes", 1'024, uint64_t{4} << 30, "of one request",
                        [](ServerConfig& c) -> auto& { return c.server.max_body_bytes; }));
  keys.push_back(Number("server.max_buffered_body_bytes", 1'024, kTerabyte,
                        "of all requests in flight",
                        [](ServerConfig& c) -> auto& { return c.server.max_buffered_body_bytes; }));
  keys.push_back(Number("server.max_buffered_reply_bytes", 1'024, kTerabyte,
                        "of all replies that clients have not taken", [](ServerConfig& c) -> auto& {
                          return c.server.max_buffered_reply_bytes;
                        }));
  keys.push_back(Number("server.max_concurrent_requests", 1, 65'536, "requests worked on at once",
                        [](ServerConfig& c) -> auto& { return c.max_concurrent_requests; }));
  keys.push_back(Number("server.max_running_requests", 0, 65'536,
                        "of these, requests that compute at once and do not wait for a store or a "
                        "disk; 0: as many as cores",
                        [](ServerConfig& c) -> auto& { return c.max_running_requests; }));
  keys.push_back(Number("server.max_queued_requests", 1, kMillion,
                        "requests that wait; above, the reply is 503 at once",
                        [](ServerConfig& c) -> auto& { return c.max_queued_requests; }));
  keys.push_back(
      Duration("server.request_timeout_ms", 1, 86'400'000, "deadline of requests that name none",
               [](ServerConfig& c) -> auto& { return c.server.default_request_timeout; }));
  keys.push_back(Duration("server.drain_timeout_s", 0, 3'600,
                          "how long requests may go on after SIGTERM",
                          [](ServerConfig& c) -> auto& { return c.server.drain_timeout; }));
  keys.push_back(Text("server.tls_certificate_file", "PEM; empty: no TLS",
                      [](ServerConfig& c) -> auto& { return c.server.tls_certificate_file; }));
  keys.push_back(Text("server.tls_key_file", "PEM",
                      [](ServerConfig& c) -> auto& { return c.server.tls_key_file; }));
}

void AddLogKeys(std::vector<ConfigKey>& keys) {
  keys.push_back({"log.level", "trace, debug, info, warning, error or off",
                  [](ServerConfig& config, std::string_view text) -> Status {
                    config.log.level = TRY(ParseLogLevel(text));
                    return {};
                  },
                  [](const ServerConfig& config) -> std::string {
                    constexpr std::string_view kNames[] = {"trace",   "debug", "info",
                                                           "warning", "error", "off"};
                    return std::string(kNames[static_cast<size_t>(config.log.level)]);
                  }});
  keys.push_back({"log.format", "text or json",
                  [](ServerConfig& config, std::string_view text) -> Status {
                    if (text != "text" && text != "json") {
                      return InvalidArgument("must be text or json");
                    }
                    config.log.json = text == "json";
                    return {};
                  },
                  [](const ServerConfig& config) -> std::string {
                    return config.log.json ? "json" : "text";
                  }});
  keys.push_back(Text("log.file", "empty: standard error",
                      [](ServerConfig& c) -> auto& { return c.log.file; }));
}

void AddEmbeddedKeys(std::vector<ConfigKey>& keys) {
  keys.push_back(Flag("embedded.sync_writes",
                      "acknowledge a write when it is on disk; false: when the system has it",
                      [](ServerConfig& c) -> auto& { return c.embedded.sync_writes; }));
  keys.push_back(Duration("embedded.group_commit_window_us", 0, 100'000,
                          "how long a writer waits for others to share one sync",
                          [](ServerConfig& c) -> auto& { return c.embedded.group_commit_window; }));
  keys.push_back(Number("embedded.seal_rows", 1'000, 10 * kMillion,
                        "rows of the segment that takes writes",
                        [](ServerConfig& c) -> auto& { return c.embedded.seal_rows; }));
  keys.push_back(Number("embedded.max_mutable_bytes", uint64_t{1} << 20, kTerabyte,
                        "memory of rows that are not sealed; above, writes are refused for a while",
                        [](ServerConfig& c) -> auto& { return c.embedded.max_mutable_bytes; }));
  keys.push_back(Number("embedded.min_free_disk_bytes", 0, kTerabyte,
                        "below, writes are refused; reads and deletes go on",
                        [](ServerConfig& c) -> auto& { return c.embedded.min_free_disk_bytes; }));
  keys.push_back(Number("embedded.build_threads", 1, 64, "threads that build indexes",
                        [](ServerConfig& c) -> auto& { return c.embedded.build_threads; }));
  keys.push_back(Number("embedded.search_slots", 0, 1'024,
                        "searches that compute at once; 0: as many as cores",
                        [](ServerConfig& c) -> auto& { return c.embedded.search_slots; }));
}

void AddCallKeys(std::vector<ConfigKey>& keys) {
  keys.push_back(Number("calls.max_concurrent", 1, 65'536, "calls to one store at once",
                        [](ServerConfig& c) -> auto& { return c.calls.max_concurrent_calls; }));
  keys.push_back(Duration("calls.timeout_ms", 1, 86'400'000, "of one call to a store",
                          [](ServerConfig& c) -> auto& { return c.calls.call_timeout; }));
  keys.push_back(Duration("calls.bulk_timeout_ms", 1, 86'400'000, "of one write or scan",
                          [](ServerConfig& c) -> auto& { return c.calls.bulk_timeout; }));
  keys.push_back(Number("calls.max_attempts", 1, 10, "tries of a call that may be repeated",
                        [](ServerConfig& c) -> auto& { return c.calls.max_attempts; }));
  keys.push_back(Duration("calls.breaker_open_ms", 1, 3'600'000,
                          "how long a store is left alone after it failed too often",
                          [](ServerConfig& c) -> auto& { return c.calls.breaker_open; }));
}

void AddRouterKeys(std::vector<ConfigKey>& keys) {
  keys.push_back(Duration("router.mirror_timeout_ms", 1, 3'600'000,
                          "of one write to the store that follows",
                          [](ServerConfig& c) -> auto& { return c.router.mirror.timeout; }));
  keys.push_back(Number("router.mirror_threads", 1, 1'024, "writes to the following store at once",
                        [](ServerConfig& c) -> auto& { return c.router.mirror.threads; }));
  keys.push_back(Number("router.mirror_queue", 1, kMillion,
                        "writes that wait for it; above, they are brought over later",
                        [](ServerConfig& c) -> auto& { return c.router.mirror.queue; }));
  keys.push_back(Number("pgvector.pool", 1, 1'000, "sessions to one PostgreSQL server",
                        [](ServerConfig& c) -> auto& { return c.pgvector_pool; }));
  keys.push_back(Text("default_store", "store of new collections",
                      [](ServerConfig& c) -> auto& { return c.default_store; }));
}

void AddRecordKeys(std::vector<ConfigKey>& keys) {
  keys.push_back({"records.delete_hook",
                  "URL that objects of deleted records (s3_path) are handed to; empty: they wait",
                  [](ServerConfig& config, std::string_view text) -> Status {
                    if (!text.empty() && !text.starts_with("http://") &&
                        !text.starts_with("https://")) {
                      return InvalidArgument("must begin with http:// or https://");
                    }
                    config.delete_hook.url = text;
                    return {};
                  },
                  [](const ServerConfig& config) { return HideSecrets(config.delete_hook.url); }});
  keys.push_back({"records.delete_hook_token", "sent to it as bearer token",
                  [](ServerConfig& config, std::string_view text) -> Status {
                    config.delete_hook.token = text;
                    return {};
                  },
                  [](const ServerConfig& config) -> std::string {
                    return config.delete_hook.token.empty() ? "" : "***";
                  }});
  keys.push_back(Duration("records.write_timeout_ms", 100, 600'000,
                          "of one write of records; a sync tells changes of that long again",
                          [](ServerConfig& c) -> auto& { return c.records.write_timeout; }));
}

}  // namespace

const std::vector<ConfigKey>& ConfigTable() {
  static const std::vector<ConfigKey> kTable = [] {
    std::vector<ConfigKey> keys;
    AddServerKeys(keys);
    AddMetadataKeys(keys);
    AddLogKeys(keys);
    AddEmbeddedKeys(keys);
    AddCallKeys(keys);
    AddRouterKeys(keys);
    AddRecordKeys(keys);
    return keys;
  }();
  return kTable;
}

}  // namespace roost
