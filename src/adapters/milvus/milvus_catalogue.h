#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "adapters/milvus/milvus_layout.h"
#include "base/context.h"
#include "base/result.h"
#include "net/grpc_client.h"

namespace roost {

/// The collections that Roost made on one server, as their descriptions tell, remembered once
/// read. Thread safe.
class MilvusCatalogue {
 public:
  MilvusCatalogue(GrpcClient& client, std::string store, std::string database)
      : client_(client), store_(std::move(store)), database_(std::move(database)) {}

  /// kNotFound; kFailedPrecondition when the collection under that name is not as Roost made it.
  Result<MilvusLayoutPtr> Find(const RequestContext& context, const std::string& collection);
  void Remember(MilvusLayoutPtr layout);
  void Forget(const std::string& collection);
  /// Whether the server still has the very collection that `layout` describes.
  Result<bool> IsCurrent(const RequestContext& context, const MilvusLayout& layout) const;
  /// The names users gave, sorted. Collections that Roost did not make are left out.
  Result<std::vector<std::string>> List(const RequestContext& context);
  /// The aliases that point to the collection.
  Result<std::vector<std::string>> Aliases(const RequestContext& context,
                                           const MilvusLayout& layout) const;

 private:
  Result<MilvusLayoutPtr> Load(const RequestContext& context, const std::string& physical,
                               const std::string& collection) const;

  GrpcClient& client_;
  const std::string store_;
  const std::string database_;
  mutable std::mutex mutex_;
  std::map<std::string, MilvusLayoutPtr> known_;  ///< by the users' names
  std::map<int64_t, std::string> names_;          ///< the users' names, by Milvus' numbers
};

}  // namespace roost
