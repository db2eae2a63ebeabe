#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// Where a store is and how to sign in there, part by part, as applications that use the store have
/// it in their settings. What is empty is not said. Password and token are secrets.
struct AddressParts {
  std::string hosts;  ///< "host:9200,host2", "https://host:9200", ["https://host:9200"]
  std::string port;   ///< of hosts that name none
  std::string database;
  std::string user;
  std::string password;
  std::string token;
  std::string verify;   ///< whether a server's certificate is checked: "true" or "false"
  std::string ca_file;  ///< by which
};

/// A kind of store as settings name it, and the environment's names of its parts.
struct Backend {
  std::string_view name;    ///< "opensearch"
  std::string_view scheme;  ///< of addresses: "opensearch://"; empty: it stands for others
  struct Variables {
    std::string_view hosts;
    std::string_view port;
    std::string_view database;
    std::string_view user;
    std::string_view password;
    std::string_view token;
    std::string_view verify;
    std::string_view index;  ///< how the application calls its index or collection
  } variables;
  std::string_view token_option;             ///< of addresses; empty: there are no tokens
  bool libpq = false;                        ///< TLS is said as PostgreSQL's library wants it
  std::vector<std::string_view> stands_for;  ///< of other backends, all of them
};

std::span<const Backend> Backends();
/// nullptr when there is none.
const Backend* FindBackend(std::string_view name);
/// By an address' scheme.
const Backend* BackendOf(std::string_view address);

/// The address that ConnectStore takes. kInvalidArgument says which part is wrong and never repeats
/// what may hold a secret. Precondition: the backend has a scheme.
Result<std::string> MakeAddress(const Backend& backend, const AddressParts& parts);

}  // namespace roost
