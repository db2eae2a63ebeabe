#include "migration/mapping/mapped_store.h"

#include <utility>

#include "store/fusion.h"
#include "store/validate.h"

namespace roost {
namespace {

using Mapper = std::shared_ptr<const RecordMapper>;

class MappedStore final : public VectorStore {
 public:
  MappedStore(std::string name, VectorStore& inner, MappingTable& table)
      : name_(std::move(name)), inner_(inner), table_(table) {}

  const Capabilities& capabilities() const override { return inner_.capabilities(); }

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    const Mapper mapper = Find(request.schema.name);
    if (mapper != nullptr && request.adopt.empty() && mapper->source() == request.schema) {
      return inner_.CreateCollection(context, {.schema = mapper->target()});
    }
    if (mapper != nullptr) {
      // Of a collection that somebody dropped without Roost.
      TRY(table_.Forget(context, name_, request.schema.name));
    }
    return inner_.CreateCollection(context, request);
  }

  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override {
    TRY(inner_.DropCollection(context, request));
    return Find(request.collection) == nullptr ? Status()
                                               : table_.Forget(context, name_, request.collection);
  }

  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override {
    CollectionDescription description = TRY(inner_.DescribeCollection(context, collection));
    const Mapper mapper = Find(collection);
    return mapper == nullptr ? std::move(description) : mapper->Describe(std::move(description));
  }

  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override {
    return inner_.ListCollections(context);
  }

  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Insert(context, request);
    }
    const WriteRequest mapped = TRY(Map(*mapper, request));
    return inner_.Insert(context, mapped);
  }

  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Upsert(context, request);
    }
    const WriteRequest mapped = TRY(Map(*mapper, request));
    return inner_.Upsert(context, mapped);
  }

  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Delete(context, request);
    }
    DeleteRequest mapped = request;
    mapped.filter = TRY(mapper->ToTarget(request.filter));
    return inner_.Delete(context, mapped);
  }

  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Get(context, request);
    }
    TRY(ValidateOutput(mapper->source(), request.output));
    GetRequest mapped = request;
    mapped.output = mapper->ToTarget(request.output);
    GetResult result = TRY(inner_.Get(context, mapped));
    for (std::optional<Record>& record : result.records) {
      if (record.has_value()) {
        record = TRY(Back(*mapper, request.output, *std::move(record)));
      }
    }
    return result;
  }

  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Query(context, request);
    }
    TRY(ValidateOutput(mapper->source(), request.output));
    QueryRequest mapped = request;
    mapped.filter = TRY(mapper->ToTarget(request.filter));
    mapped.output = mapper->ToTarget(request.output);
    QueryResult result = TRY(inner_.Query(context, mapped));
    for (Record& record : result.records) {
      record = TRY(Back(*mapper, request.output, std::move(record)));
    }
    return result;
  }

  Result<SearchResult> Search(const RequestContext& context,
                              const SearchRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Search(context, request);
    }
    TRY(ValidateSearch(mapper->source(), capabilities(), request));
    const SearchRequest mapped = TRY(mapper->ToTarget(request));
    SearchResult result = TRY(inner_.Search(context, mapped));
    for (std::vector<Hit>& hits : result.hits) {
      for (Hit& hit : hits) {
        hit.record = TRY(Back(*mapper, request.output, std::move(hit.record)));
      }
    }
    return result;
  }

  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    const bool mapped = !request.legs.empty() && Find(request.legs[0].collection) != nullptr;
    return mapped ? FuseSearches(*this, context, request) : inner_.HybridSearch(context, request);
  }

  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override {
    const Mapper mapper = Find(request.collection);
    ScanPage page = TRY(inner_.Scan(context, request));
    if (mapper != nullptr) {
      for (Record& record : page.records) {
        record = TRY(mapper->ToSource(std::move(record)));
        if (!request.vectors) {
          record.vectors.clear();  // Those that the scalar fields carry.
        }
      }
    }
    return page;
  }

  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override {
    const Mapper mapper = Find(request.collection);
    if (mapper == nullptr) {
      return inner_.Count(context, request);
    }
    CountRequest mapped = request;
    mapped.filter = TRY(mapper->ToTarget(request.filter));
    return inner_.Count(context, mapped);
  }

  Status CheckHealth(const RequestContext& context) override { return inner_.CheckHealth(context); }
  Adoption* adoption() override { return inner_.adoption(); }

 private:
  Mapper Find(const std::string& collection) const { return table_.Find(name_, collection); }

  /// By the users' schema first: what an INT8 refuses is refused, whatever it is kept as.
  Result<WriteRequest> Map(const RecordMapper& mapper, const WriteRequest& request) const {
    WriteRequest mapped = request;
    TRY(ValidateRecords(mapper.source(), capabilities(), mapped.records));
    for (Record& record : mapped.records) {
      record = mapper.ToTarget(std::move(record));
    }
    return mapped;
  }

  static Result<Record> Back(const RecordMapper& mapper, const OutputFields& output,
                             Record record) {
    Record source = TRY(mapper.ToSource(std::move(record)));
    return Project(mapper.source(), output, std::move(source));
  }

  const std::string name_;
  VectorStore& inner_;
  MappingTable& table_;
};

}  // namespace

std::unique_ptr<VectorStore> MakeMappedStore(std::string name, VectorStore& inner,
                                             MappingTable& table) {
  return std::make_unique<MappedStore>(std::move(name), inner, table);
}

}  // namespace roost
