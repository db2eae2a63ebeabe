#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "peer_process.h"
#include "store/store_testing.h"
#include "store/vector_store.h"

namespace roost {

/// One kind of store: real servers of it, addresses that must not work, and a client that is not
/// Roost. Its server asks for a password, which is "right-secret" wherever it can be chosen.
class StoreKind {
 public:
  virtual ~StoreKind() = default;
  virtual std::string name() const = 0;
  /// What must be started, in two goes: those of the second stand in front of those of the first.
  virtual std::vector<PeerProcess*> Servers() = 0;
  virtual std::vector<PeerProcess*> Fronts() { return {}; }

  // Once all are started.

  /// Works.
  virtual std::string Address() = 0;
  /// An address of this kind at another port of this machine, without credentials.
  virtual std::string AddressAt(uint16_t port) const = 0;
  /// The port in Address().
  virtual uint16_t Port() = 0;
  /// With no credentials, and with wrong ones; the secrets in them are "wrong-secret".
  virtual std::vector<std::string> WrongCredentials() = 0;
  /// By TLS to a server whose certificate ended yesterday; the authority is trusted.
  virtual std::string Expired() = 0;
  virtual uint16_t ExpiredPort() = 0;

  /// Drops the collection natively.
  virtual void Drop(const CollectionSchema& schema) = 0;
  /// Drops it natively and makes another of its name in which the vector "v" has 3 dimensions,
  /// with a record "x" where that is what tells them; what Roost notes of its collections stays.
  virtual void Replace(const CollectionSchema& schema) = 0;
};

std::unique_ptr<StoreKind> MakeMilvusKind();
std::unique_ptr<StoreKind> MakeOpenSearchKind();
std::unique_ptr<StoreKind> MakePgVectorKind();
std::unique_ptr<StoreKind> MakeWeaviateKind();

// What the kinds and the tests share.
inline std::string LocalHost(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace roost
