#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/tls_options.h"

namespace roost {

struct HostPort {
  std::string host;  ///< a name or an address; IPv6 without brackets
  uint16_t port = 0;

  /// "host:port", "[::1]:port".
  std::string ToString() const;
  bool operator==(const HostPort&) const = default;
};

/// What one kind of store understands in its address.
struct StoreAddressRules {
  std::string scheme;         ///< "milvus"
  uint16_t default_port = 0;  ///< of hosts given without one
  /// Names of options beside the common ones: tls, verify, ca_file, cert_file, key_file, token,
  /// api_key.
  std::vector<std::string> options;
};

/// Where a remote store is and how to sign in there. User, password, token and api_key are secrets
/// save the user's name: never log the struct's fields, log ToString().
struct StoreAddress {
  std::string scheme;
  std::string user;
  std::string password;
  std::vector<HostPort> hosts;  ///< at least one
  std::string database;         ///< empty: the store's default
  TlsOptions tls;
  std::string token;
  std::string api_key;
  std::map<std::string, std::string> options;  ///< those of StoreAddressRules::options

  /// Without secrets and options: "milvus://root@host:19530,[::1]:19531/books".
  std::string ToString() const;

  /// Values of `options`; `fallback` when not given. kInvalidArgument names the option and what it
  /// takes.
  std::string Text(const std::string& name, const std::string& fallback = "") const;
  Result<bool> Flag(const std::string& name, bool fallback) const;
  /// A whole number within [min, max].
  Result<uint64_t> Number(const std::string& name, uint64_t fallback, uint64_t min,
                          uint64_t max) const;
  /// A whole number of milliseconds from 1 to a day's.
  Result<std::chrono::milliseconds> Milliseconds(const std::string& name,
                                                 std::chrono::milliseconds fallback) const;
};

/// Reads "scheme://[user[:password]@]host[:port][,host2[:port2]…][/database][?name=value&…]".
/// Everything may be percent-encoded; user, password and values must be where they hold one of
/// "@ : / ? & # %". An IPv6 address stands in brackets.
///
/// kInvalidArgument says what is wrong, lists the known options when one is unknown, and never
/// repeats what may be a part of a secret.
Result<StoreAddress> ParseStoreAddress(std::string_view text, const StoreAddressRules& rules);

/// For one part of an address, segment of a path or value of a query: "a b/ä" -> "a%20b%2F%C3%A4".
std::string PercentEncode(std::string_view text);

/// "%41" is "A". kInvalidArgument, without quoting, when a "%" has no two hex digits behind it or
/// the result holds a control character.
Result<std::string> PercentDecode(std::string_view text);

}  // namespace roost
