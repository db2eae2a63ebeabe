#include "adapters/backends.h"

#include <algorithm>

#include "base/strings.h"
#include "net/store_address.h"

namespace roost {
namespace {

constexpr std::string_view kSecurePort = "443";  // what "https://host" means to everybody

Error Wrong(const Backend& backend, const std::string& what) {
  return InvalidArgument("the address of the " + std::string(backend.name) + " store: " + what);
}

struct Host {
  std::string text;  ///< "host:port"
  bool secure = false;
};

bool HasPort(std::string_view host) {
  const size_t colon = host.rfind(':');
  const size_t bracket = host.rfind(']');
  return colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
}

Result<Host> ReadHost(const Backend& backend, std::string_view text, const AddressParts& parts) {
  Host host;
  if (const size_t end = text.find("://"); end != std::string_view::npos) {
    const std::string scheme = ToLower(text.substr(0, end));
    host.secure = scheme == "https" || scheme == "grpcs";
    if (!host.secure && scheme != "http" && scheme != "tcp" && scheme != "grpc") {
      return Wrong(backend, "a host begins with http:// or https:// or with neither");
    }
    text.remove_prefix(end + 3);
  }
  while (text.ends_with('/')) {
    text.remove_suffix(1);
  }
  if (text.find('@') != std::string_view::npos) {
    return Wrong(backend, "credentials do not stand among the hosts; give user and password apart");
  }
  if (text.empty() || text.find_first_of("/?#& ") != std::string_view::npos) {
    return Wrong(backend, "hosts are written as host:port,host2:port2");
  }
  host.text = text;
  if (!HasPort(text)) {
    const std::string port = !parts.port.empty()             ? parts.port
                             : host.secure && !backend.libpq ? std::string(kSecurePort)
                                                             : "";
    host.text += port.empty() ? "" : ":" + port;
  }
  return host;
}

/// The hosts one after another; `["a","b"]` is another way to write "a,b".
Result<std::string> ReadHosts(const Backend& backend, const AddressParts& parts, bool& secure) {
  std::string text(Trim(parts.hosts));
  if (text.starts_with("[\"") && text.ends_with("\"]")) {
    text = text.substr(1, text.size() - 2);
    std::erase(text, '"');
  }
  std::string hosts;
  size_t secured = 0;
  const auto pieces = Split(text, ',');
  for (const std::string_view piece : pieces) {
    const Host host = TRY(ReadHost(backend, Trim(piece), parts));
    hosts += (hosts.empty() ? "" : ",") + host.text;
    secured += host.secure ? 1 : 0;
  }
  if (secured != 0 && secured != pieces.size()) {
    return Wrong(backend, "either all hosts begin with https:// or none");
  }
  secure = secured != 0;
  return hosts;
}

void AddOption(std::string& options, std::string_view name, std::string_view value) {
  options += (options.empty() ? "?" : "&") + std::string(name) + "=" + PercentEncode(value);
}

Result<std::string> SayTls(const Backend& backend, const AddressParts& parts, bool secure) {
  std::string options;
  if (!parts.verify.empty() && parts.verify != "true" && parts.verify != "false") {
    return Wrong(backend, "whether certificates are checked is true or false");
  }
  if (backend.libpq) {
    const bool check = parts.verify == "true" || (parts.verify.empty() && !parts.ca_file.empty());
    if (check) {
      AddOption(options, "sslmode", "verify-full");
    } else if (secure) {
      AddOption(options, "sslmode", "require");
    }
    if (!parts.ca_file.empty()) {
      AddOption(options, "sslrootcert", parts.ca_file);
    }
    return options;
  }
  if (!secure) {
    // To check certificates where there are none is no wish for TLS: many set it always.
    return parts.ca_file.empty()
               ? Result<std::string>(options)
               : Wrong(backend, "a CA file is for hosts that begin with https://");
  }
  AddOption(options, "tls", "true");
  if (!parts.verify.empty()) {
    AddOption(options, "verify", parts.verify);
  }
  if (!parts.ca_file.empty()) {
    AddOption(options, "ca_file", parts.ca_file);
  }
  return options;
}

Backend PgVector() {
  Backend backend{.name = "pgvector", .scheme = "postgresql://", .libpq = true};
  backend.variables = {.hosts = "POSTGRES_HOST",
                       .port = "POSTGRES_PORT",
                       .database = "POSTGRES_DB",
                       .user = "POSTGRES_USER",
                       .password = "POSTGRES_PASSWORD"};
  return backend;
}

Backend OpenSearch() {
  Backend backend{.name = "opensearch", .scheme = "opensearch://", .token_option = "token"};
  backend.variables = {.hosts = "ML_OPENSEARCH_HOSTS",
                       .user = "ML_OPENSEARCH_USERNAME",
                       .password = "ML_OPENSEARCH_PASSWORD",
                       .verify = "ML_OPENSEARCH_VERIFY_CERTS",
                       .index = "ML_OPENSEARCH_INDEX"};
  return backend;
}

Backend Milvus() {
  Backend backend{.name = "milvus", .scheme = "milvus://", .token_option = "token"};
  backend.variables = {.hosts = "MILVUS_CLUSTER_ENDPOINT", .token = "MILVUS_CLUSTER_TOKEN"};
  return backend;
}

Backend Weaviate() {
  Backend backend{.name = "weaviate", .scheme = "weaviate://", .token_option = "api_key"};
  backend.variables = {.hosts = "WEAVIATE_URL", .token = "WEAVIATE_API_KEY"};
  return backend;
}

}  // namespace

std::span<const Backend> Backends() {
  // "dual_write" is how applications say that they write to both.
  static const std::vector<Backend> backends = {
      PgVector(), OpenSearch(), Milvus(), Weaviate(),
      Backend{.name = "dual_write", .stands_for = {"pgvector", "opensearch"}}};
  return backends;
}

const Backend* FindBackend(std::string_view name) {
  const auto all = Backends();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Backend& backend) { return backend.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const Backend* BackendOf(std::string_view address) {
  const auto all = Backends();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Backend& backend) {
    return !backend.scheme.empty() && address.starts_with(backend.scheme);
  });
  return found == all.end() ? nullptr : &*found;
}

Result<std::string> MakeAddress(const Backend& backend, const AddressParts& parts) {
  if (!parts.password.empty() && parts.user.empty()) {
    return Wrong(backend, "a password needs a user");
  }
  if (!parts.token.empty() && backend.token_option.empty()) {
    return Wrong(backend, "it takes user and password, no token");
  }
  bool secure = false;
  const std::string hosts = TRY(ReadHosts(backend, parts, secure));
  std::string options = TRY(SayTls(backend, parts, secure));
  if (!parts.token.empty()) {
    AddOption(options, backend.token_option, parts.token);
  }
  std::string address(backend.scheme);
  if (!parts.user.empty()) {
    address += PercentEncode(parts.user);
    address += parts.password.empty() ? "" : ":" + PercentEncode(parts.password);
    address += "@";
  }
  address += hosts;
  address += parts.database.empty() ? "" : "/" + PercentEncode(parts.database);
  return address + options;
}

}  // namespace roost
