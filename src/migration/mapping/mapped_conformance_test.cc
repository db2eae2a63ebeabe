// A store that keeps every collection by a mapping passes the suite that every store must pass: its
// users notice nothing.
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include "migration/mapping/mapped_store.h"
#include "store/conformance/conformance.h"
#include "store/fake_store.h"
#include "store/intercepted_store.h"
#include "store/validate.h"

namespace roost {
namespace {

DataType Wider(DataType type) {
  switch (type) {
    case DataType::kInt8:
      return DataType::kInt16;
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kTimestamp:
      return DataType::kInt64;
    case DataType::kFloat:
      return DataType::kDouble;
    case DataType::kUuid:
      return DataType::kVarChar;
    case DataType::kFloat16Vector:
    case DataType::kBFloat16Vector:
    case DataType::kInt8Vector:
      return DataType::kFloatVector;
    default:
      return type;
  }
}

/// Everything that may be called otherwise is, and every type becomes a wider one.
SchemaMapping MappingOf(const CollectionSchema& schema) {
  SchemaMapping mapping{.schema = schema, .source_name = {}};
  mapping.schema.key_field = "the_" + schema.key_field;
  if (schema.multi_tenant()) {
    mapping.schema.tenant_field = "the_" + schema.tenant_field;
  }
  const auto change = [&](auto& field) {
    field.type = Wider(field.type);
    if (!schema.dynamic && field.name.size() < 200) {  // a name has at most 255 characters
      mapping.source_name["the_" + field.name] = field.name;
      field.name = "the_" + field.name;
    }
  };
  for (FieldSchema& field : mapping.schema.fields) {
    field.default_value.reset();  // That of the users' schema counts.
    change(field);
  }
  for (VectorFieldSchema& vector : mapping.schema.vectors) {
    change(vector);
  }
  return mapping;
}

/// A fake store, each of whose collections is made by a mapping.
struct Parts {
  Parts() {
    static std::atomic<int> counter{0};
    path = ::testing::TempDir() + "/mapped." + std::to_string(::getpid()) + "." +
           std::to_string(counter++) + ".db";
    control = *OpenSqliteControlStore({.path = path}, *metrics);
    table = std::make_unique<MappingTable>(*control);
    mapped = MakeMappedStore("fake", *fake, *table);
  }
  ~Parts() {
    control.reset();
    for (const char* end : {"", "-wal", "-shm"}) {
      ::unlink((path + end).c_str());
    }
  }
  std::string path;
  std::unique_ptr<Metrics> metrics = MakeMetrics();
  std::unique_ptr<ControlStore> control;
  std::unique_ptr<MappingTable> table;
  std::unique_ptr<VectorStore> fake = MakeFakeStore();
  std::unique_ptr<VectorStore> mapped;
};

class StoreThatMaps final : private Parts, public InterceptedStore<StoreThatMaps> {
 public:
  StoreThatMaps() : InterceptedStore(*Parts::mapped) {}

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    TRY(ValidateSchema(request.schema, capabilities()));  // what a mapper expects
    const auto mapper = RecordMapper::Make(request.schema, MappingOf(request.schema));
    if (mapper.ok() && !mapped->DescribeCollection(context, request.schema.name).ok()) {
      table->Publish("fake", request.schema.name, *mapper);
    }
    return InterceptedStore::CreateCollection(context, request);
  }

  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall, Run run) {
    return run(context);
  }
};

const bool registered = [] {
  RegisterConformanceTests(
      {.name = "Mapped", .make = [] { return std::make_unique<StoreThatMaps>(); }});
  return true;
}();

}  // namespace
}  // namespace roost
