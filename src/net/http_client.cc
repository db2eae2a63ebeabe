#include "net/http_client.h"

#include <algorithm>
#include <cctype>
#include <exception>
#include <stop_token>

#include <curl/curl.h>

#include "base/executor.h"
#include "net/socket.h"

namespace roost {
namespace {

constexpr std::chrono::milliseconds kMaxPoll{1000};

/// libcurl's process-wide set-up; never undone, since other users may exist.
void InitCurl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  CHECK(done == CURLE_OK);
}

struct HeaderList {
  curl_slist* first = nullptr;
  ~HeaderList() { curl_slist_free_all(first); }
  void Add(const std::string& line) { first = curl_slist_append(first, line.c_str()); }
};

/// "http://host:port" of a URL, for messages: the rest may hold secrets.
std::string Origin(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) {
    return url;
  }
  const size_t host = scheme + 3;
  const size_t end = std::min(url.find_first_of("/?#", host), url.size());
  const size_t at = url.rfind('@', end);
  const bool user = at != std::string::npos && at >= host && at < end;
  return url.substr(0, host) + url.substr(user ? at + 1 : host, end - (user ? at + 1 : host));
}

}  // namespace

std::string_view HttpReply::Header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

/// One libcurl transfer engine with its kept-alive connections; used by one call at a time.
class HttpClient::Handle {
 public:
  Handle() : multi_(curl_multi_init()), easy_(curl_easy_init()) {
    CHECK(multi_ != nullptr && easy_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 4L);
  }
  ~Handle() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  Result<HttpReply> Run(const RequestContext& context, const HttpCall& call,
                        const Options& options);
  /// Whether the last call left a connection for the next one.
  bool connected() const { return connected_; }

 private:
  void SetUp(const RequestContext& context, const HttpCall& call, const Options& options,
             HeaderList& headers);
  void SetBody(const HttpCall& call, HeaderList& headers);
  Status Transfer(const RequestContext& context);
  Error Explain(CURLcode code, const Options& options) const;
  template <typename Option, typename Value>
  void Set(Option option, Value value) {
    CHECK(curl_easy_setopt(easy_, option, value) == CURLE_OK);
  }

  static size_t OnHeader(char* data, size_t, size_t size, void* user);
  static size_t OnBody(char* data, size_t, size_t size, void* user);
  static size_t OnUpload(char* buffer, size_t, size_t size, void* user);

  CURLM* const multi_;
  CURL* const easy_;
  // Of the present call:
  const HttpCall* call_ = nullptr;
  size_t max_reply_bytes_ = 0;
  HttpReply reply_;
  bool headers_ended_ = false;
  bool connected_ = false;
  std::optional<Error> failure_;  ///< of a callback
  std::string piece_;
  size_t piece_sent_ = 0;
  char words_[CURL_ERROR_SIZE] = "";
};

size_t HttpClient::Handle::OnHeader(char* data, size_t, size_t size, void* user) {
  auto* self = static_cast<Handle*>(user);
  std::string_view line(data, size);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r' || line.back() == ' ')) {
    line.remove_suffix(1);
  }
  if (line.starts_with("HTTP/")) {
    self->reply_.headers.clear();  // Those before were of an interim reply.
    self->headers_ended_ = false;
    return size;
  }
  if (line.empty()) {
    self->headers_ended_ = true;
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return size;
  }
  auto& [name, value] = self->reply_.headers.emplace_back(line.substr(0, colon), "");
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const size_t start = std::min(line.find_first_not_of(" \t", colon + 1), line.size());
  value = line.substr(start);
  return size;
}

size_t HttpClient::Handle::OnBody(char* data, size_t, size_t size, void* user) {
  auto* self = static_cast<Handle*>(user);
  long status = 0;
  curl_easy_getinfo(self->easy_, CURLINFO_RESPONSE_CODE, &status);
  if (self->call_->download && status / 100 == 2) {
    Status taken = self->call_->download({data, size});
    if (!taken.ok()) {
      self->failure_ = std::move(taken).error();
      return CURL_WRITEFUNC_ERROR;
    }
    return size;
  }
  if (self->reply_.body.size() + size > self->max_reply_bytes_) {
    self->failure_ =
        ResourceExhausted("the reply of " + Origin(self->call_->url) + " is larger than " +
                          std::to_string(self->max_reply_bytes_) + " bytes");
    return CURL_WRITEFUNC_ERROR;
  }
  self->reply_.body.append(data, size);
  return size;
}

size_t HttpClient::Handle::OnUpload(char* buffer, size_t, size_t size, void* user) {
  auto* self = static_cast<Handle*>(user);
  if (self->piece_sent_ == self->piece_.size()) {
    Result<std::string> next = self->call_->upload();
    if (!next.ok()) {
      self->failure_ = std::move(next).error();
      return CURL_READFUNC_ABORT;
    }
    self->piece_ = std::move(next).value();
    self->piece_sent_ = 0;
  }
  const size_t bytes = std::min(size, self->piece_.size() - self->piece_sent_);
  std::copy_n(self->piece_.data() + self->piece_sent_, bytes, buffer);
  self->piece_sent_ += bytes;
  return bytes;
}

void HttpClient::Handle::SetUp(const RequestContext& context, const HttpCall& call,
                               const Options& options, HeaderList& headers) {
  curl_easy_reset(easy_);
  Set(CURLOPT_ERRORBUFFER, words_);
  Set(CURLOPT_URL, call.url.c_str());
  Set(CURLOPT_PROTOCOLS_STR, "http,https");
  Set(CURLOPT_PROXY, "");  // Stores and gateways are reached directly, whatever the environment.
  Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  Set(CURLOPT_NOSIGNAL, 1L);
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  Set(CURLOPT_USERAGENT, "roost");
  Set(CURLOPT_HEADERFUNCTION, &Handle::OnHeader);
  Set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  Set(CURLOPT_WRITEFUNCTION, &Handle::OnBody);
  Set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  Set(CURLOPT_SSL_VERIFYPEER, options.verify_tls ? 1L : 0L);
  Set(CURLOPT_SSL_VERIFYHOST, options.verify_tls ? 2L : 0L);
  if (!options.ca_file.empty()) {
    Set(CURLOPT_CAINFO, options.ca_file.c_str());
  }
  if (!options.certificate_file.empty()) {
    Set(CURLOPT_SSLCERT, options.certificate_file.c_str());
    Set(CURLOPT_SSLKEY, options.key_file.c_str());
  }
  if (options.send_context && !context.request_id.empty()) {
    headers.Add("X-Request-Id: " + context.request_id);
  }
  if (options.send_context && !context.deadline.infinite()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(context.deadline.Remaining());
    headers.Add("X-Request-Timeout-Ms: " + std::to_string(std::max<int64_t>(left.count(), 1)));
  }
  for (const auto& [name, value] : call.headers) {
    headers.Add(value.empty() ? name + ";" : std::string(name).append(": ").append(value));
  }
  SetBody(call, headers);
  Set(CURLOPT_HTTPHEADER, headers.first);
}

void HttpClient::Handle::SetBody(const HttpCall& call, HeaderList& headers) {
  if (call.upload) {
    Set(CURLOPT_UPLOAD, 1L);
    Set(CURLOPT_READFUNCTION, &Handle::OnUpload);
    Set(CURLOPT_READDATA, static_cast<void*>(this));
    Set(CURLOPT_INFILESIZE_LARGE,
        call.upload_bytes ? static_cast<curl_off_t>(*call.upload_bytes) : curl_off_t{-1});
    // A kept connection may turn out dead after the first piece, which cannot be asked for again.
    Set(CURLOPT_FRESH_CONNECT, 1L);
  } else if (!call.body.empty() || call.method == "POST" || call.method == "PUT" ||
             call.method == "PATCH") {
    Set(CURLOPT_POST, 1L);
    Set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    Set(CURLOPT_POSTFIELDS, call.body.data());
    headers.Add("Expect:");  // The body is at hand; do not wait for leave to send it.
    const bool typed = std::any_of(call.headers.begin(), call.headers.end(), [](const auto& h) {
      return curl_strequal(h.first.c_str(), "content-type") != 0;
    });
    if (!typed) {
      headers.Add("Content-Type: application/json");
    }
  } else if (call.method == "HEAD") {
    Set(CURLOPT_NOBODY, 1L);
  }
  Set(CURLOPT_CUSTOMREQUEST, call.method.c_str());
}

Status HttpClient::Handle::Transfer(const RequestContext& context) {
  const std::stop_callback wake(context.stop, [this] { curl_multi_wakeup(multi_); });
  for (;;) {
    int running = 0;
    CHECK(curl_multi_perform(multi_, &running) == CURLM_OK);
    if (running == 0) {
      return {};
    }
    TRY(context.CheckAlive("waiting for " + Origin(call_->url)));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(context.deadline.Remaining());
    const auto wait = std::min(left + std::chrono::milliseconds(1), kMaxPoll);
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(wait.count()), nullptr);
  }
}

Error HttpClient::Handle::Explain(CURLcode code, const Options& options) const {
  const std::string origin = Origin(call_->url);
  const std::string hint = options.hint.empty() ? "" : "; " + options.hint;
  long system_error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &system_error);
  const std::string words = words_[0] != '\0' ? words_ : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return Unavailable("cannot reach " + origin + ": " +
                         (system_error != 0 ? SystemWords(static_cast<int>(system_error)) : words) +
                         hint);
    case CURLE_COULDNT_RESOLVE_HOST:
      return Unavailable("cannot reach " + origin + ": no such host; check the name");
    case CURLE_OPERATION_TIMEDOUT:  // Only connecting has a limit of libcurl's own.
      return Unavailable("cannot reach " + origin + ": no answer within " +
                         std::to_string(options.connect_timeout.count()) + " ms" + hint);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return InvalidArgument("\"" + call_->url + "\" is not a URL of the form http://host:port/…");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
      return Unavailable("cannot reach " + origin + " by TLS: " + words +
                         "; check its certificate and the CA file");
    default:
      return Unavailable("lost the connection to " + origin + ": " + words);
  }
}

Result<HttpReply> HttpClient::Handle::Run(const RequestContext& context, const HttpCall& call,
                                          const Options& options) {
  call_ = &call;
  max_reply_bytes_ = options.max_reply_bytes;
  reply_ = {};
  headers_ended_ = false;
  failure_.reset();
  piece_.clear();
  piece_sent_ = 0;
  words_[0] = '\0';
  HeaderList headers;
  SetUp(context, call, options, headers);
  CHECK(curl_multi_add_handle(multi_, easy_) == CURLM_OK);
  Status ended = Transfer(context);
  CURLcode code = CURLE_OK;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    code = message->msg == CURLMSG_DONE ? message->data.result : code;
  }
  long status = 0;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &sent);
  std::optional<Error> error;
  if (!ended.ok()) {
    error = std::move(ended).error();
  } else if (failure_) {
    error = std::move(failure_);
  } else if (code != CURLE_OK) {
    error = Explain(code, options);
  } else if (!headers_ended_) {
    // For libcurl that is a reply without a body.
    error = Unavailable("lost the connection to " + Origin(call.url) +
                        ": it ended within the headers of the reply");
  }
  curl_socket_t socket = CURL_SOCKET_BAD;
  curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &socket);
  connected_ = !error && socket != CURL_SOCKET_BAD;
  curl_multi_remove_handle(multi_, easy_);
  call_ = nullptr;
  if (error) {
    error->outcome_unknown =
        sent > 0 && !call.safe && call.method != "GET" && call.method != "HEAD";
    return std::move(*error);
  }
  reply_.status = static_cast<int>(status);
  return std::move(reply_);
}

HttpClient::HttpClient(Options options) : options_(std::move(options)) { InitCurl(); }

HttpClient::~HttpClient() {
  if (options_.idle != nullptr) {
    options_.idle->Add(-static_cast<double>(idle_.size()));
  }
}

Result<std::unique_ptr<HttpClient::Handle>> HttpClient::TakeHandle(const RequestContext& context) {
  const auto free = [this] { return in_use_ < options_.max_connections; };
  std::unique_lock lock(mutex_);
  if (!free()) {
    ++waiting_;
    const auto until = context.deadline.infinite()
                           ? std::chrono::steady_clock::now() + context.deadline.Remaining()
                           : context.deadline.time;
    const bool got = freed_.wait_until(lock, context.stop, until, free);
    --waiting_;
    if (!got && context.stop.stop_requested()) {
      return Cancelled("the request was cancelled while waiting for an HTTP connection");
    }
    if (!got) {
      return DeadlineExceeded("no HTTP connection became free in time; all " +
                              std::to_string(options_.max_connections) +
                              " are in use (raise the pool's size or lower the load)");
    }
  }
  ++in_use_;
  std::unique_ptr<Handle> handle;
  if (!idle_.empty()) {
    handle = std::move(idle_.back());
    idle_.pop_back();
  }
  lock.unlock();
  if (options_.in_use != nullptr) {
    options_.in_use->Add(1);
  }
  if (options_.idle != nullptr && handle != nullptr) {
    options_.idle->Add(-1);
  }
  return handle != nullptr ? std::move(handle) : std::make_unique<Handle>();
}

void HttpClient::GiveBack(std::unique_ptr<Handle> handle) {
  bool kept = false;
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    kept = handle->connected() && idle_.size() < options_.max_idle;
    if (kept) {
      idle_.push_back(std::move(handle));
    }
  }
  freed_.notify_one();
  if (options_.in_use != nullptr) {
    options_.in_use->Add(-1);
  }
  if (options_.idle != nullptr && kept) {
    options_.idle->Add(1);
  }
}

HttpClient::Stats HttpClient::stats() const {
  const std::lock_guard lock(mutex_);
  return {.in_use = in_use_, .idle = idle_.size(), .waiting = waiting_};
}

Result<HttpReply> HttpClient::Call(const RequestContext& context, const HttpCall& call) {
  TRY(context.CheckAlive("calling " + Origin(call.url)));
  const BlockingSection blocking;
  auto handle = TRY(TakeHandle(context));
  Result<HttpReply> reply = handle->Run(context, call, options_);
  GiveBack(std::move(handle));
  return reply;
}

void CountConnections(HttpClient::Options& options, const std::string& store, Metrics& metrics) {
  const auto gauge = [&](const char* state) {
    return &metrics.GetGauge("roost_http_client_connections",
                             "HTTP connections to a store, in use by calls or kept for later ones",
                             {{"store", store}, {"state", state}});
  };
  options.in_use = gauge("in_use");
  options.idle = gauge("idle");
}

}  // namespace roost
