#include "net/store_address.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>
#include <optional>

#include "base/strings.h"

namespace roost {
namespace {

constexpr std::string_view kEncodeHint =
    "; percent-encode \"@ : / ? & # %\" in user, password and option values";
constexpr std::array<std::string_view, 7> kCommonOptions = {
    "tls", "verify", "ca_file", "cert_file", "key_file", "token", "api_key"};
constexpr std::chrono::milliseconds kMaxMilliseconds = std::chrono::hours(24);

std::optional<int> HexDigit(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  if (digit >= 'A' && digit <= 'F') {
    return digit - 'A' + 10;
  }
  return std::nullopt;
}

bool IsControl(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

Result<bool> ParseFlag(std::string_view name, std::string_view value) {
  if (value == "true") {
    return true;
  }
  if (value == "false") {
    return false;
  }
  return InvalidArgument("option \"" + std::string(name) + "\" takes true or false");
}

/// Cuts an address into its parts and fills in a StoreAddress. What goes wrong is told without the
/// text: with a character left unencoded any part may hold a piece of a secret.
class AddressParser {
 public:
  AddressParser(std::string_view text, const StoreAddressRules& rules)
      : text_(text), rules_(rules) {}

  Result<StoreAddress> Parse() {
    TRY(TakeScheme());
    if (text_.find('#') != std::string_view::npos) {
      return Wrong("holds a \"#\"" + std::string(kEncodeHint));
    }
    const size_t question = text_.find('?');
    const std::string_view place = text_.substr(0, question);
    const size_t slash = place.find('/');
    TRY(ReadAuthority(place.substr(0, slash)));
    if (slash != std::string_view::npos) {
      TRY(ReadDatabase(place.substr(slash + 1)));
    }
    if (question != std::string_view::npos) {
      TRY(ReadOptions(text_.substr(question + 1)));
    }
    TRY(CheckTls());
    return std::move(address_);
  }

 private:
  Error Wrong(const std::string& what) const {
    return InvalidArgument("the " + rules_.scheme + " address " + what);
  }

  Result<std::string> Decode(std::string_view what, std::string_view text) const {
    auto decoded = PercentDecode(text);
    if (!decoded.ok()) {
      return Wrong("has a " + std::string(what) + " in which " + decoded.error().message +
                   std::string(kEncodeHint));
    }
    return decoded;
  }

  Status TakeScheme() {
    const std::string prefix = rules_.scheme + "://";
    if (!ToLower(text_.substr(0, prefix.size())).starts_with(prefix)) {
      return InvalidArgument("the address must begin with \"" + prefix + "\"");
    }
    text_.remove_prefix(prefix.size());
    address_.scheme = rules_.scheme;
    return {};
  }

  Status ReadAuthority(std::string_view authority) {
    const size_t at = authority.rfind('@');
    if (at != std::string_view::npos) {
      const std::string_view login = authority.substr(0, at);
      const size_t colon = login.find(':');
      address_.user = TRY(Decode("user", login.substr(0, colon)));
      if (colon != std::string_view::npos) {
        address_.password = TRY(Decode("password", login.substr(colon + 1)));
      }
      authority.remove_prefix(at + 1);
    }
    for (const std::string_view host : Split(authority, ',')) {
      address_.hosts.push_back(TRY(ReadHost(host, "host " + std::to_string(host_number_))));
      ++host_number_;
    }
    return {};
  }

  Result<HostPort> ReadHost(std::string_view text, const std::string& which) const {
    HostPort host{.host = "", .port = rules_.default_port};
    std::string_view port;
    if (text.starts_with('[')) {
      const size_t end = text.find(']');
      if (end == std::string_view::npos) {
        return Wrong("lacks the \"]\" after the IPv6 address of " + which);
      }
      host.host = text.substr(1, end - 1);
      port = text.substr(end + 1);
      const bool digits =
          host.host.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string::npos;
      if (!digits || host.host.find(':') == std::string::npos ||
          (!port.empty() && port[0] != ':')) {
        return Wrong("has brackets around something else than an IPv6 address in " + which);
      }
    } else {
      const size_t colon = text.find(':');
      if (colon != text.rfind(':')) {
        return Wrong("has several \":\" in " + which +
                     ": put an IPv6 address into brackets, as in [::1]:19530");
      }
      host.host = TRY(Decode("host", text.substr(0, colon)));
      port = colon == std::string_view::npos ? "" : text.substr(colon);
    }
    if (host.host.empty() || host.host.find_first_of(" \"<>\\^`{|}@/?") != std::string::npos) {
      return Wrong("has no valid name in " + which + "; write host:port,host2:port2" +
                   std::string(kEncodeHint));
    }
    if (!port.empty()) {
      const auto number = ParseUint64(port.substr(1));
      if (!number.ok() || *number == 0 || *number > std::numeric_limits<uint16_t>::max()) {
        return Wrong("has a port that is no number from 1 to 65535 in " + which +
                     std::string(kEncodeHint));
      }
      host.port = static_cast<uint16_t>(*number);
    }
    return host;
  }

  Status ReadDatabase(std::string_view path) {
    if (path.find_first_of("/@") != std::string_view::npos) {
      return Wrong(
          "has a \"/\" or \"@\" in what follows the hosts, where only a database's name "
          "may stand" +
          std::string(kEncodeHint));
    }
    address_.database = TRY(Decode("database", path));
    return {};
  }

  Status ReadOptions(std::string_view query) {
    for (const std::string_view option : Split(query, '&')) {
      if (option.empty()) {
        continue;
      }
      const size_t equals = option.find('=');
      const std::string_view name = option.substr(0, equals);
      TRY(CheckName(name));
      if (equals == std::string_view::npos) {
        return Wrong("gives option \"" + std::string(name) + "\" no value; write " +
                     std::string(name) + "=…");
      }
      auto value =
          TRY(Decode("value of option \"" + std::string(name) + "\"", option.substr(equals + 1)));
      TRY(SetOption(std::string(name), std::move(value)));
    }
    return {};
  }

  Status CheckName(std::string_view name) {
    const bool known =
        std::find(kCommonOptions.begin(), kCommonOptions.end(), name) != kCommonOptions.end() ||
        std::find(rules_.options.begin(), rules_.options.end(), name) != rules_.options.end();
    const bool plain =
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
    if (!known) {
      std::vector<std::string_view> names(kCommonOptions.begin(), kCommonOptions.end());
      names.insert(names.end(), rules_.options.begin(), rules_.options.end());
      std::sort(names.begin(), names.end());
      // What follows a secret may be the rest of it, cut off by a "&" that was not encoded.
      const std::string which =
          !after_secret_.empty() ? " after \"" + after_secret_ + "\""
                                 : (plain && !name.empty() ? " \"" + std::string(name) + "\"" : "");
      return Wrong("has an unknown option" + which + "; known are " + Join(names, ", ") +
                   std::string(kEncodeHint));
    }
    const std::string text(name);
    if (std::find(seen_.begin(), seen_.end(), text) != seen_.end()) {
      return Wrong("gives option \"" + text + "\" twice");
    }
    seen_.push_back(text);
    after_secret_ = name == "token" || name == "api_key" ? text : "";
    return {};
  }

  Status SetOption(const std::string& name, std::string value) {
    if (name == "tls" || name == "verify") {
      auto flag = ParseFlag(name, value);
      if (!flag.ok()) {
        return flag.error().Within("the " + rules_.scheme + " address");
      }
      (name == "tls" ? address_.tls.enabled : address_.tls.verify) = *flag;
    } else if (name == "ca_file") {
      address_.tls.ca_file = std::move(value);
    } else if (name == "cert_file") {
      address_.tls.certificate_file = std::move(value);
    } else if (name == "key_file") {
      address_.tls.key_file = std::move(value);
    } else if (name == "token") {
      address_.token = std::move(value);
    } else if (name == "api_key") {
      address_.api_key = std::move(value);
    } else {
      address_.options[name] = std::move(value);
    }
    return {};
  }

  Status CheckTls() const {
    const TlsOptions& tls = address_.tls;
    if (!tls.enabled &&
        !(tls.ca_file.empty() && tls.certificate_file.empty() && tls.key_file.empty())) {
      return Wrong("names TLS files but does not switch TLS on; add tls=true");
    }
    if (tls.certificate_file.empty() != tls.key_file.empty()) {
      return Wrong("needs both cert_file and key_file, or neither");
    }
    return {};
  }

  std::string_view text_;
  const StoreAddressRules& rules_;
  StoreAddress address_;
  size_t host_number_ = 1;
  std::vector<std::string> seen_;
  std::string after_secret_;  ///< the name of the option just read when its value is a secret
};

}  // namespace

std::string HostPort::ToString() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string StoreAddress::ToString() const {
  std::string text = scheme + "://";
  if (!user.empty()) {
    text += user + "@";
  }
  for (size_t i = 0; i < hosts.size(); ++i) {
    text += (i == 0 ? "" : ",") + hosts[i].ToString();
  }
  return database.empty() ? text : text + "/" + database;
}

std::string StoreAddress::Text(const std::string& name, const std::string& fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? fallback : found->second;
}

Result<bool> StoreAddress::Flag(const std::string& name, bool fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? Result<bool>(fallback) : ParseFlag(name, found->second);
}

Result<uint64_t> StoreAddress::Number(const std::string& name, uint64_t fallback, uint64_t min,
                                      uint64_t max) const {
  const auto found = options.find(name);
  if (found == options.end()) {
    return fallback;
  }
  const auto number = ParseUint64(found->second);
  if (!number.ok() || *number < min || *number > max) {
    return InvalidArgument("option \"" + name + "\" takes a whole number from " +
                           std::to_string(min) + " to " + std::to_string(max));
  }
  return *number;
}

Result<std::chrono::milliseconds> StoreAddress::Milliseconds(
    const std::string& name, std::chrono::milliseconds fallback) const {
  if (!options.contains(name)) {
    return fallback;
  }
  return std::chrono::milliseconds(TRY(Number(name, 0, 1, kMaxMilliseconds.count())));
}

Result<StoreAddress> ParseStoreAddress(std::string_view text, const StoreAddressRules& rules) {
  return AddressParser(text, rules).Parse();
}

std::string PercentEncode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

Result<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '%') {
      const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
      if (!high || !low) {
        return InvalidArgument("a \"%\" is not followed by two hex digits");
      }
      byte = static_cast<char>(*high * 16 + *low);
      i += 2;
    }
    if (IsControl(byte)) {
      return InvalidArgument("there is a control character");
    }
    decoded += byte;
  }
  return decoded;
}

}  // namespace roost
