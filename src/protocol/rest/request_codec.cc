#include <limits>

#include <fmt/format.h>

#include "protocol/rest/json_body.h"
#include "protocol/rest/record_codec.h"
#include "protocol/rest/scalar_text.h"
#include "protocol/rest/vector_text.h"

namespace roost::rest {

namespace {

constexpr int64_t kMaxCount = std::numeric_limits<uint32_t>::max();

// The members that several bodies share. `Take` returns true when the member was one of them.
struct CommonMembers {
  std::string filter;
  FilterParameters parameters;
  std::optional<std::string> tenant;
  OutputFields output;
  Consistency consistency = Consistency::kStrong;
  uint64_t offset = 0;

  bool TakeSelection(std::string_view name, sj::value value) {
    if (name == "filter") {
      filter = ReadString(name, value);
    } else if (name == "params") {
      for (auto member : value.get_object()) {
        const std::string_view parameter = member.unescaped_key();
        parameters.insert_or_assign(std::string(parameter),
                                    ReadParameter(parameter, member.value()));
      }
    } else if (name == "tenant") {
      tenant = std::string(ReadString(name, value));
    } else {
      return false;
    }
    return true;
  }

  bool TakeOutput(std::string_view name, sj::value value, std::string_view vectors_name) {
    if (name == "fields") {
      output.all_scalars = false;
      for (auto element : value.get_array()) {
        output.fields.emplace_back(ReadString(name, element.value()));
      }
    } else if (name == vectors_name) {
      output.vectors = ReadBool(name, value);
    } else if (name == "consistency") {
      const std::string_view text = ReadString(name, value);
      if (text != "strong" && text != "eventual") {
        FailBody(
            fmt::format("\"consistency\" is \"{}\"; it must be \"strong\" or \"eventual\"", text));
      }
      consistency = text == "strong" ? Consistency::kStrong : Consistency::kEventual;
    } else if (name == "offset") {
      offset = static_cast<uint64_t>(ReadInt(name, value, 0, kMaxCount));
    } else {
      return false;
    }
    return true;
  }

  Result<FilterPtr> Filter(const CollectionSchema& schema) const {
    return ParseFilter(filter, schema, parameters);
  }
};

std::vector<RecordKey> ReadIds(sj::value value, const CollectionSchema& schema) {
  if (value.type() != sj::json_type::array) {
    FailBody("\"ids\" must be an array of keys");
  }
  std::vector<RecordKey> keys;
  for (auto element : value.get_array()) {
    keys.push_back({.tenant = {}, .key = ReadKey("ids", element.value(), schema.key_type)});
  }
  return keys;
}

Status SetTenant(std::vector<RecordKey>& keys, const CollectionSchema& schema,
                 const std::optional<std::string>& tenant) {
  if (schema.multi_tenant() && !keys.empty() && (!tenant || tenant->empty())) {
    return InvalidArgument(fmt::format(
        "collection \"{}\" has tenants: name one with \"tenant\" beside \"ids\"", schema.name));
  }
  for (RecordKey& key : keys) {
    key.tenant = tenant.value_or("");
  }
  return {};
}

}  // namespace

Result<GetRequest> DecodeGet(const std::string& body, const CollectionSchema& schema) {
  GetRequest request{.collection = schema.name};
  CommonMembers common;
  common.output.vectors = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "ids") {
      request.keys = ReadIds(value, schema);
    } else if (name == "tenant") {
      common.tenant = std::string(ReadString(name, value));
    } else if (name == "offset" || !common.TakeOutput(name, value, "vectors")) {
      UnknownMember(name, "ids, tenant, fields, vectors, consistency");
    }
  }));
  TRY(SetTenant(request.keys, schema, common.tenant));
  request.output = std::move(common.output);
  request.consistency = common.consistency;
  return request;
}

Result<DeleteBody> DecodeDelete(const std::string& body, const CollectionSchema& schema) {
  DeleteBody request;
  CommonMembers common;
  bool has_ids = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "ids") {
      request.keys = ReadIds(value, schema);
      has_ids = true;
    } else if (!common.TakeSelection(name, value)) {
      UnknownMember(name, "ids, filter, params, tenant");
    }
  }));
  if (has_ids == !common.filter.empty()) {
    return InvalidArgument("give either \"ids\" or a \"filter\" that is not empty");
  }
  TRY(SetTenant(request.keys, schema, common.tenant));
  request.filter = TRY(common.Filter(schema));
  request.tenant = std::move(common.tenant);
  return request;
}

Result<QueryRequest> DecodeQuery(const std::string& body, const CollectionSchema& schema) {
  QueryRequest request{.collection = schema.name};
  CommonMembers common;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "limit") {
      request.limit = static_cast<uint64_t>(ReadInt(name, value, 1, 16'384));
    } else if (!common.TakeSelection(name, value) && !common.TakeOutput(name, value, "vectors")) {
      UnknownMember(name, "filter, params, tenant, offset, limit, fields, vectors, consistency");
    }
  }));
  request.filter = TRY(common.Filter(schema));
  request.tenant = std::move(common.tenant);
  request.offset = common.offset;
  request.output = std::move(common.output);
  request.consistency = common.consistency;
  return request;
}

Result<CountRequest> DecodeCount(const std::string& body, const CollectionSchema& schema) {
  CountRequest request{.collection = schema.name, .filter = {}, .tenant = {}};
  CommonMembers common;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (!common.TakeSelection(name, value)) {
      UnknownMember(name, "filter, params, tenant");
    }
  }));
  request.filter = TRY(common.Filter(schema));
  request.tenant = std::move(common.tenant);
  return request;
}

Result<ScanRequest> DecodeScan(const std::string& body, const CollectionSchema& schema) {
  ScanRequest request{.collection = schema.name};
  request.vectors = false;
  std::string after_tenant;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "tenant") {
      request.tenant = std::string(ReadString(name, value));
    } else if (name == "after") {
      request.after = RecordKey{.tenant = {}, .key = ReadKey(name, value, schema.key_type)};
    } else if (name == "after_tenant") {
      after_tenant = ReadString(name, value);
    } else if (name == "limit") {
      request.limit = static_cast<uint32_t>(ReadInt(name, value, 1, 10'000));
    } else if (name == "vectors") {
      request.vectors = ReadBool(name, value);
    } else {
      UnknownMember(name, "tenant, after, after_tenant, limit, vectors");
    }
  }));
  if (request.after) {
    request.after->tenant = after_tenant.empty() ? request.tenant.value_or("") : after_tenant;
  }
  return request;
}

namespace {

// One search, whole or a leg of a hybrid one. Vectors need the field's schema, which may be named
// after them: their JSON is kept as a string until the end of the object.
class SearchReader {
 public:
  explicit SearchReader(const CollectionSchema& schema) : schema_(schema) {
    request_.collection = schema.name;
  }

  static constexpr std::string_view kKnown =
      "vector, vectors, text, texts, field, top_k, offset, filter, params, tenant, max_distance, "
      "ef, exact, fields, include_vectors, consistency";

  void Take(std::string_view name, sj::value value) {
    if (name == "vector" || name == "vectors") {
      TakeVectors(name, value);
    } else if (name == "text") {
      request_.texts.emplace_back(ReadString(name, value));
    } else if (name == "texts") {
      for (auto element : value.get_array()) {
        request_.texts.emplace_back(ReadString(name, element.value()));
      }
    } else if (name == "field") {
      request_.field = ReadString(name, value);
    } else if (name == "top_k") {
      request_.top_k = static_cast<uint32_t>(ReadInt(name, value, 1, kMaxCount));
    } else if (name == "max_distance") {
      request_.max_distance = ReadDouble(name, value);
    } else if (name == "ef") {
      request_.ef = static_cast<uint32_t>(ReadInt(name, value, 1, 100'000));
    } else if (name == "exact") {
      request_.exact = ReadBool(name, value);
    } else if (!common_.TakeSelection(name, value) &&
               !common_.TakeOutput(name, value, "include_vectors")) {
      UnknownMember(name, kKnown);
    }
  }

  Result<SearchRequest> Finish() && {
    request_.filter = TRY(common_.Filter(schema_));
    request_.tenant = std::move(common_.tenant);
    request_.offset = static_cast<uint32_t>(common_.offset);
    request_.output = std::move(common_.output);
    request_.consistency = common_.consistency;
    if (!late_vectors_.empty()) {
      TRY(ReadLateVectors());
    }
    return std::move(request_);
  }

 private:
  const VectorFieldSchema* Field() const {
    if (!request_.field.empty()) {
      return schema_.FindVector(request_.field);
    }
    return schema_.vectors.size() == 1 ? &schema_.vectors.front() : nullptr;
  }

  void TakeVectors(std::string_view name, sj::value value) {
    if (const VectorFieldSchema* field = Field()) {
      ReadVectors(name, value, *field);
    } else {
      late_vectors_ = std::string_view(simdjson::to_json_string(value));
      late_vectors_ = fmt::format(R"({{"{}":{}}})", name, late_vectors_);
    }
  }

  void ReadVectors(std::string_view name, sj::value value, const VectorFieldSchema& field) {
    if (name == "vector") {
      request_.vectors.push_back(ReadVector("vector", value, field));
      return;
    }
    for (auto element : value.get_array()) {
      request_.vectors.push_back(ReadVector("vectors", element.value(), field));
    }
  }

  Status ReadLateVectors() {
    const VectorFieldSchema* field = Field();
    if (field == nullptr) {
      return InvalidArgument(
          request_.field.empty()
              ? fmt::format("collection \"{}\" has {} vector fields: name one with \"field\"",
                            schema_.name, schema_.vectors.size())
              : fmt::format("collection \"{}\" has no vector field \"{}\"", schema_.name,
                            request_.field));
    }
    late_vectors_.reserve(late_vectors_.size() + simdjson::SIMDJSON_PADDING);
    return ReadBody(late_vectors_, [&](std::string_view name, sj::value value) {
      ReadVectors(name, value, *field);
    });
  }

  const CollectionSchema& schema_;
  SearchRequest request_;
  CommonMembers common_;
  std::string late_vectors_;
};

}  // namespace

Result<SearchRequest> DecodeSearch(const std::string& body, const CollectionSchema& schema) {
  SearchReader reader(schema);
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) { reader.Take(name, value); }));
  SearchRequest request = TRY(std::move(reader).Finish());
  if (request.vectors.empty() == request.texts.empty()) {
    return InvalidArgument(
        "a search needs either \"vector\" (or \"vectors\") or \"text\" (or \"texts\")");
  }
  return request;
}

namespace {

Result<HybridSearchRequest::Fusion> ParseFusion(std::string_view name) {
  if (name == "rrf") {
    return HybridSearchRequest::Fusion::kRrf;
  }
  if (name == "weighted") {
    return HybridSearchRequest::Fusion::kWeighted;
  }
  return InvalidArgument(
      fmt::format("\"fusion\" is \"{}\"; it must be \"rrf\" or \"weighted\"", name));
}

// What the whole request says holds for every leg that does not say otherwise.
Status Inherit(HybridSearchRequest& request, const CommonMembers& common,
               const CollectionSchema& schema) {
  const FilterPtr filter = TRY(common.Filter(schema));
  for (SearchRequest& leg : request.legs) {
    leg.filter = AndFilters(leg.filter, filter);
    if (common.tenant) {
      leg.tenant = common.tenant;
    }
    leg.output = common.output;
    leg.consistency = common.consistency;
  }
  return {};
}

}  // namespace

Result<HybridSearchRequest> DecodeHybrid(const std::string& body, const CollectionSchema& schema) {
  HybridSearchRequest request;
  CommonMembers common;
  std::string fusion = "rrf";
  std::vector<SearchReader> legs;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "searches") {
      for (auto element : value.get_array()) {
        SearchReader& leg = legs.emplace_back(schema);
        for (auto member : element.get_object()) {
          const std::string_view part = member.unescaped_key();
          leg.Take(part, member.value());
        }
      }
    } else if (name == "fusion") {
      fusion = ReadString(name, value);
    } else if (name == "rrf_k") {
      request.rrf_k = static_cast<uint32_t>(ReadInt(name, value, 1, 100'000));
    } else if (name == "weights") {
      for (auto element : value.get_array()) {
        request.weights.push_back(ReadDouble(name, element.value()));
      }
    } else if (name == "top_k") {
      request.top_k = static_cast<uint32_t>(ReadInt(name, value, 1, kMaxCount));
    } else if (!common.TakeSelection(name, value) &&
               !common.TakeOutput(name, value, "include_vectors")) {
      UnknownMember(name,
                    "searches, fusion, rrf_k, weights, top_k, offset, filter, params, tenant, "
                    "fields, include_vectors, consistency");
    }
  }));
  request.fusion = TRY(ParseFusion(fusion));
  request.offset = static_cast<uint32_t>(common.offset);
  for (SearchReader& leg : legs) {
    SearchRequest search = TRY(std::move(leg).Finish());
    request.legs.push_back(std::move(search));
  }
  TRY(Inherit(request, common, schema));
  return request;
}

}  // namespace roost::rest
