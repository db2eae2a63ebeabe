#include "gateway_clients.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace roost_bench {

void Fail(const std::string& message) {
  std::cerr << "gateway_bench: " << message << std::endl;
  std::_Exit(1);
}

namespace {

constexpr size_t kPiece = size_t{1} << 16;

// --- HTTP ---------------------------------------------------------------------------------------

class HttpCaller final : public SearchClient {
 public:
  HttpCaller(uint16_t port, std::shared_ptr<const std::vector<std::string>> requests)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), requests_(std::move(requests)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      Fail("nothing listens on port " + std::to_string(port));
    }
  }
  ~HttpCaller() override { ::close(socket_); }
  HttpCaller(const HttpCaller&) = delete;
  HttpCaller& operator=(const HttpCaller&) = delete;

  void Search(size_t query) override {
    const std::string& request = (*requests_)[query % requests_->size()];
    for (size_t sent = 0; sent < request.size();) {
      const ssize_t more =
          ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) {
        Fail("the server closed a connection");
      }
      sent += static_cast<size_t>(more);
    }
    reply_.clear();
    size_t head = std::string::npos;
    while ((head = reply_.find("\r\n\r\n")) == std::string::npos) {
      Receive();
    }
    const size_t length = ContentLength(head);
    while (reply_.size() < head + 4 + length) {
      Receive();
    }
    if (reply_.compare(8, 5, " 200 ") != 0) {
      Fail("a search failed: " + reply_.substr(0, 500));
    }
    body_ = head + 4;
  }
  std::string Show(size_t query) override {
    Search(query);
    return reply_.substr(body_);
  }

 private:
  void Receive() {
    char piece[kPiece];
    const ssize_t more = ::recv(socket_, piece, sizeof piece, 0);
    if (more <= 0) {
      Fail("the server closed a connection");
    }
    reply_.append(piece, static_cast<size_t>(more));
  }
  size_t ContentLength(size_t head) const {
    constexpr const char* kName = "\r\ncontent-length:";
    for (size_t at = reply_.find("\r\n"); at < head; at = reply_.find("\r\n", at + 2)) {
      if (::strncasecmp(reply_.c_str() + at, kName, std::strlen(kName)) == 0) {
        return std::strtoull(reply_.c_str() + at + std::strlen(kName), nullptr, 10);
      }
    }
    Fail("a reply has no Content-Length: " + reply_.substr(0, head));
  }

  const int socket_;
  const std::shared_ptr<const std::vector<std::string>> requests_;
  std::string reply_;
  size_t body_ = 0;
};

// --- PostgreSQL ---------------------------------------------------------------------------------

constexpr const char* kStatement = "search";

class PgCaller final : public SearchClient {
 public:
  PgCaller(const std::string& address, const std::string& setup, const std::string& sql,
           std::shared_ptr<const std::vector<std::string>> queries)
      : connection_(PQconnectdb(address.c_str())), queries_(std::move(queries)) {
    if (PQstatus(connection_) != CONNECTION_OK) {
      Fail(PQerrorMessage(connection_));
    }
    Check(PQexec(connection_, setup.c_str()));
    Check(PQprepare(connection_, kStatement, sql.c_str(), 1, nullptr));
  }
  ~PgCaller() override { PQfinish(connection_); }
  PgCaller(const PgCaller&) = delete;
  PgCaller& operator=(const PgCaller&) = delete;

  void Search(size_t query) override { PQclear(Run(query)); }
  std::string Show(size_t query) override {
    PGresult* result = Run(query);
    std::string keys;
    for (int row = 0; row < PQntuples(result); ++row) {
      keys.append(row > 0 ? "\t" : "").append(PQgetvalue(result, row, 0));
    }
    PQclear(result);
    return keys;
  }

 private:
  PGresult* Run(size_t query) {
    const std::string& vector = (*queries_)[query % queries_->size()];
    const char* values[] = {vector.data()};
    const int lengths[] = {static_cast<int>(vector.size())};
    const int formats[] = {1};
    PGresult* result =
        PQexecPrepared(connection_, kStatement, 1, values, lengths, formats, 1 /* binary */);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
      Fail(PQerrorMessage(connection_));
    }
    return result;
  }
  void Check(PGresult* result) const {
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      Fail(PQerrorMessage(connection_));
    }
    PQclear(result);
  }

  PGconn* const connection_;
  const std::shared_ptr<const std::vector<std::string>> queries_;
};

/// pgvector's binary form: dimension, a zero, elements, all big-endian.
std::string PgBytes(const std::vector<float>& vector) {
  std::string bytes;
  const auto append = [&](auto number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  };
  append(htons(static_cast<uint16_t>(vector.size())));
  append(uint16_t{0});
  for (const float element : vector) {
    uint32_t bits = 0;
    std::memcpy(&bits, &element, sizeof bits);
    append(htonl(bits));
  }
  return bytes;
}

}  // namespace

MakeClient HttpClients(uint16_t port, const std::string& path, const std::string& bodies) {
  auto requests = std::make_shared<std::vector<std::string>>();
  std::ifstream file(bodies);
  for (std::string body; std::getline(file, body);) {
    requests->push_back("POST " + path +
                        " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                        "Content-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  if (requests->empty()) {
    Fail(bodies + " holds no requests");
  }
  return [port, requests] { return std::make_unique<HttpCaller>(port, requests); };
}

MakeClient PgClients(const std::string& address, const std::string& setup, const std::string& sql,
                     const Vectors& queries) {
  auto bytes = std::make_shared<std::vector<std::string>>();
  for (const auto& query : queries) {
    bytes->push_back(PgBytes(query));
  }
  return [address, setup, sql, bytes] {
    return std::make_unique<PgCaller>(address, setup, sql, bytes);
  };
}

}  // namespace roost_bench
