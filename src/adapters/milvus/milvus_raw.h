#pragma once

// A Milvus client of the tests' own, to look and to get in the store's way.

#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_layout.h"
#include "adapters/milvus/milvus_testing.h"
#include "base/random.h"

namespace roost {

class RawMilvus {
 public:
  explicit RawMilvus(uint16_t port) {
    GrpcOptions options;
    options.hosts = {{.host = "127.0.0.1", .port = port}};
    auto client = GrpcClient::Create(options, TestClock(), random_, TestMetrics());
    EXPECT_TRUE(client.ok());
    client_ = client.ok() ? *std::move(client) : nullptr;
  }

  template <typename Reply = milvus::proto::common::Status, typename Request>
  Result<Reply> Call(std::string_view name, const Request& request) {
    return CallMilvus<Reply>(*client_, "Milvus", Soon(), name, request, GrpcEffect::kWrite);
  }
  template <typename Request>
  Status OnCollection(std::string_view name, const std::string& collection) {
    Request request;
    request.set_collection_name(MilvusCollectionName(collection));
    const auto done = Call(name, request);
    return done.ok() ? Status() : Status(done.error());
  }
  Status Release(const std::string& collection) {
    return OnCollection<milvus_messages::ReleaseCollectionRequest>("ReleaseCollection", collection);
  }
  Status Drop(const std::string& collection) {
    return OnCollection<milvus_messages::DropCollectionRequest>("DropCollection", collection);
  }
  /// Seals what was written and waits until it has its index.
  Status SealAndIndex(const std::string& collection, int64_t rows) {
    milvus_messages::FlushRequest flush;
    flush.add_collection_names(MilvusCollectionName(collection));
    const auto flushed = Call<milvus_messages::FlushResponse>("Flush", flush);
    if (!flushed.ok()) {
      return flushed.error();
    }
    milvus_messages::DescribeIndexRequest look;
    look.set_collection_name(MilvusCollectionName(collection));
    int64_t indexed = -1;
    const bool ready = Await([&] {
      const auto found = Call<milvus_messages::DescribeIndexResponse>("DescribeIndex", look);
      indexed = found.ok() && found->index_descriptions_size() > 0
                    ? found->index_descriptions(0).indexed_rows()
                    : -1;
      return indexed >= rows;
    });
    return ready ? Status()
                 : Status(Internal("only " + std::to_string(indexed) + " rows have their index"));
  }

 private:
  SystemRandom random_;
  std::unique_ptr<GrpcClient> client_;
};

}  // namespace roost
