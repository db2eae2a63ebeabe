#include "adapters/opensearch/opensearch_template.h"

#include <algorithm>
#include <map>
#include <memory>

#include <boost/json.hpp>

#include "adapters/opensearch/opensearch_client.h"
#include "adapters/opensearch/opensearch_codec.h"
#include "adapters/opensearch/opensearch_index.h"
#include "base/json.h"
#include "base/random.h"

namespace roost {
namespace {

namespace bj = boost::json;

/// Above what templates have unless they name another.
constexpr int kPriority = 100;
constexpr size_t kMaxNameBytes = 200;  // OpenSearch's own limit is 255, for name and tenant

Status CheckIndexPart(const std::string& what, const std::string& name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (name.empty() || name.size() > kMaxNameBytes ||
      kFirst.find(name.front()) == std::string_view::npos ||
      name.find_first_not_of(kRest) != std::string::npos) {
    return InvalidArgument(what + " \"" + name +
                           "\": OpenSearch takes lower-case letters, digits, '-', '_' and '.', the "
                           "first a letter or digit, at most 200");
  }
  return {};
}

/// The template must not reach the indexes that hold Roost's collections.
Status CheckApart(const OpenSearchOptions& options, const std::string& index) {
  const std::string begins = index + "-";
  if (begins.starts_with(options.index_prefix) || options.index_prefix.starts_with(begins)) {
    return InvalidArgument(
        "index \"" + index + "\": a template for \"" + begins +
        "*\" would reach the indexes of Roost's collections, which begin with \"" +
        options.index_prefix + "\"; choose another name, or index_prefix=… in the address");
  }
  return {};
}

/// How other clients keep such a value: plainly, in OpenSearch's own types.
std::string PlainType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return R"("type":"boolean")";
    case DataType::kInt8:
      return R"("type":"byte")";
    case DataType::kInt16:
      return R"("type":"short")";
    case DataType::kInt32:
      return R"("type":"integer")";
    case DataType::kInt64:
      return R"("type":"long")";
    case DataType::kFloat:
      return R"("type":"float")";
    case DataType::kDouble:
      return R"("type":"double")";
    case DataType::kText:
      return R"("type":"text")";
    case DataType::kTimestamp:
      return R"("type":"date")";
    case DataType::kJson:
      return R"("type":"object","dynamic":"true")";
    default:
      return R"("type":"keyword")";
  }
}

void AppendProperty(std::string& out, const std::string& name, const std::string& mapping) {
  out += (out.back() == '{' ? "" : ",") + JsonString(name) + ":{" + mapping + "}";
}

bool WantsGraph(const CollectionSchema& schema) {
  return std::any_of(schema.vectors.begin(), schema.vectors.end(),
                     [](const VectorFieldSchema& field) { return field.index == "HNSW"; });
}

Result<std::string> PlainProperties(const OpenSearchOptions& options,
                                    const CollectionSchema& schema) {
  std::string out = "{";
  AppendProperty(
      out, schema.key_field,
      PlainType(schema.key_type == KeyType::kInt64 ? DataType::kInt64 : DataType::kVarChar));
  if (schema.multi_tenant()) {
    AppendProperty(out, schema.tenant_field, PlainType(DataType::kVarChar));
  }
  for (const FieldSchema& field : schema.fields) {
    AppendProperty(out, field.name,
                   PlainType(field.type == DataType::kArray ? field.element_type : field.type));
  }
  for (const VectorFieldSchema& field : schema.vectors) {
    if (OsIsPacked(field.type)) {
      return Unimplemented("vector \"" + field.name + "\" is " +
                           std::string(DataTypeName(field.type)) +
                           ", which an index template cannot say; leave the index out");
    }
    // A field without a graph in an index that has some would get one by default: name it.
    AppendProperty(out, field.name, OsVectorProperty(options, field, WantsGraph(schema)));
  }
  return out + "}";
}

/// The leaves of a document by their paths. OpenSearch gives numbers and truth values of settings
/// back as text, so all leaves are texts.
using Leaves = std::map<std::string, std::string>;

void Collect(const bj::value& value, const std::string& path, Leaves& leaves) {
  if (value.is_object()) {
    for (const auto& [name, member] : value.get_object()) {
      Collect(member, path.empty() ? std::string(name) : path + "." + std::string(name), leaves);
    }
  } else if (value.is_string()) {
    leaves[path] = std::string(value.get_string());
  } else if (!value.is_null()) {
    leaves[path] = bj::serialize(value);
  }
}

Leaves LeavesOf(const bj::value& document, std::string_view pointer, const std::string& path) {
  Leaves leaves;
  bj::error_code error;
  if (const bj::value* part = document.find_pointer(pointer, error)) {
    Collect(*part, path, leaves);
  }
  return leaves;
}

/// OpenSearch no longer says that something is an object once it has found members in it.
bool IsObjectWithMembers(const Leaves& there, const std::string& path, const std::string& value) {
  constexpr std::string_view kType = ".type";
  if (value != "object" || !path.ends_with(kType)) {
    return false;
  }
  const std::string members = path.substr(0, path.size() - kType.size()) + ".properties.";
  const auto first = there.lower_bound(members);
  return first != there.end() && first->first.starts_with(members);
}

void Compare(const Leaves& there, const Leaves& wanted, bool more_is_different,
             std::vector<std::string>& differences) {
  for (const auto& [path, value] : wanted) {
    const auto found = there.find(path);
    if (found == there.end() && IsObjectWithMembers(there, path, value)) {
      continue;
    }
    if (found == there.end()) {
      differences.push_back(path + " is not there, wanted is " + value);
    } else if (found->second != value) {
      differences.push_back(path + " is " + found->second + ", wanted is " + value);
    }
  }
  for (const auto& [path, value] : there) {
    if (more_is_different && !wanted.contains(path)) {
      differences.push_back(path + " is " + value + " and not wanted");
    }
  }
}

Result<bj::value> ParseReply(const std::string& text) {
  bj::error_code error;
  bj::value document = bj::parse(text, error);
  if (error || !document.is_object()) {
    return Unavailable("OpenSearch's reply cannot be read: " + error.message() +
                       "; is something else answering at this address?");
  }
  return document;
}

/// A cluster to ask, and what the steps need of it.
class Beside : public std::enable_shared_from_this<Beside> {
 public:
  Beside(OsPlace place, PreparationRequest request, Clock& clock, Metrics& metrics)
      : options_(std::move(place.options)),
        request_(std::move(request)),
        client_(std::move(place.address), options_, clock, random_, metrics) {}

  Result<std::vector<PreparationStep>> Look(const RequestContext& context) {
    std::vector<PreparationStep> steps;
    if (!request_.index.empty()) {
      TRY(CheckIndexPart("index", request_.index));
      TRY(CheckApart(options_, request_.index));
      body_ = TRY(OsTemplateBody(options_, request_));
      steps.push_back(TRY(LookAtTemplate(context)));
      for (const std::string& tenant : request_.tenants) {
        TRY(CheckIndexPart("tenant", tenant));
        steps.push_back(TRY(LookAtIndex(context, request_.index + "-" + tenant)));
      }
    } else if (!request_.tenants.empty()) {
      return InvalidArgument("tenants have indexes of their own only below an index: name it");
    }
    if (!request_.alias.empty()) {
      TRY(CheckIndexPart("alias", request_.alias));
      steps.push_back(TRY(LookAtAlias(context)));
    }
    return steps;
  }

 private:
  Result<PreparationStep> LookAtTemplate(const RequestContext& context) {
    PreparationStep step{.kind = "index template", .name = request_.index + "_template"};
    const std::string path = "/_index_template/" + step.name;
    OsCall call;
    call.path = path;
    const auto reply = client_.Call(context, call);
    if (reply.ok()) {
      step.differences = TRY(OsTemplateDifferences(*reply, body_));
      step.advice = "delete the template (DELETE " + path +
                    ") or choose another index name; indexes that are there keep what they have";
    }
    return Judge(context, reply, std::move(step), "PUT", path, body_);
  }

  Result<PreparationStep> LookAtIndex(const RequestContext& context, const std::string& name) {
    PreparationStep step{.kind = "index", .name = name};
    OsCall call;
    call.path = "/" + name;
    const auto reply = client_.Call(context, call);
    if (reply.ok()) {
      step.differences = TRY(OsMappingDifferences(*reply, body_));
      step.advice =
          "the mapping of an index cannot be changed: copy it into another one "
          "(POST /_reindex), or delete it";
    }
    return Judge(context, reply, std::move(step), "PUT", call.path, "");
  }

  Result<PreparationStep> LookAtAlias(const RequestContext& context) {
    PreparationStep step{.kind = "alias", .name = request_.alias};
    const std::string index = OsIndexName(options_.index_prefix, request_.schema.name);
    OsCall call;
    call.path = "/_alias/" + request_.alias;
    const auto reply = client_.Call(context, call);
    if (reply.ok()) {
      const bj::value document = TRY(ParseReply(*reply));
      for (const auto& [name, aliases] : document.get_object()) {
        if (std::string_view(name) != index) {
          step.differences.push_back("it points to index \"" + std::string(name) +
                                     "\", wanted is \"" + index + "\"");
        }
      }
      step.advice = "remove the alias there, or choose another one";
    }
    return Judge(context, reply, std::move(step), "POST", "/_aliases",
                 R"({"actions":[{"add":{"index":)" + JsonString(index) + R"(,"alias":)" +
                     JsonString(request_.alias) + "}}]}");
  }

  /// Fills in the state, and how the thing is made where it is missing.
  Result<PreparationStep> Judge(const RequestContext& context, const Result<std::string>& reply,
                                PreparationStep step, std::string method, std::string path,
                                std::string body) {
    TRY(context.CheckAlive("looking at " + client_.name()));
    if (!reply.ok() && reply.code() != Code::kNotFound) {
      return reply.error().Within(step.kind + " \"" + step.name + "\"");
    }
    if (reply.ok()) {
      step.state = step.differences.empty() ? StepState::kThere : StepState::kDifferent;
      return step;
    }
    step.make = [self = shared_from_this(), method = std::move(method), path = std::move(path),
                 body = std::move(body)](const RequestContext& making) {
      return self->Make(making, method, path, body);
    };
    return step;
  }

  Status Make(const RequestContext& context, const std::string& method, const std::string& path,
              const std::string& body) {
    OsCall call;
    call.method = method;
    call.path = path;
    call.body = body;
    call.write = true;
    const auto reply = client_.Call(context, call);
    if (!reply.ok() && reply.code() == Code::kInternal) {
      return FailedPrecondition(reply.error().message);  // it says what is in the way
    }
    return reply.ok() ? Status() : Status(reply.error());
  }

  const OpenSearchOptions options_;
  const PreparationRequest request_;
  std::string body_;
  SystemRandom random_;
  OsClient client_;
};

}  // namespace

Result<std::string> OsTemplateBody(const OpenSearchOptions& options,
                                   const PreparationRequest& request) {
  const std::string properties = TRY(PlainProperties(options, request.schema));
  std::string out = R"({"index_patterns":[)" + JsonString(request.index + "-*") +
                    R"(],"priority":)" + std::to_string(kPriority) +
                    R"(,"template":{"settings":{"index":{"number_of_shards":)" +
                    std::to_string(options.shards);
  out += options.replicas < 0 ? R"(,"auto_expand_replicas":"0-1")"
                              : R"(,"number_of_replicas":)" + std::to_string(options.replicas);
  if (WantsGraph(request.schema)) {
    // Without derived source an index gives vectors back bit by bit as they were sent.
    out += R"(,"knn":true,"knn.derived_source.enabled":false)";
  }
  // A guessed mapping takes vectors for numbers and texts for dates.
  out += R"(}},"mappings":{"dynamic":")" + std::string(request.schema.dynamic ? "true" : "strict") +
         R"(","date_detection":false,"properties":)" + properties + "}}}";
  return out;
}

Result<std::vector<std::string>> OsTemplateDifferences(const std::string& reply,
                                                       const std::string& body) {
  const bj::value there = TRY(ParseReply(reply));
  const bj::value wanted = TRY(ParseReply(body));
  constexpr std::string_view kFound = "/index_templates/0/index_template";
  std::vector<std::string> differences;
  for (const std::string part : {"index_patterns", "priority"}) {
    Compare(LeavesOf(there, std::string(kFound) + "/" + part, part),
            LeavesOf(wanted, "/" + part, part), true, differences);
  }
  for (const std::string part : {"settings", "mappings", "aliases"}) {
    Compare(LeavesOf(there, std::string(kFound) + "/template/" + part, part),
            LeavesOf(wanted, "/template/" + part, part), true, differences);
  }
  return differences;
}

Result<std::vector<std::string>> OsMappingDifferences(const std::string& reply,
                                                      const std::string& body) {
  const bj::value there = TRY(ParseReply(reply));
  const bj::value wanted = TRY(ParseReply(body));
  std::vector<std::string> differences;
  const bj::object& indexes = there.get_object();
  const bj::value nothing = bj::object();
  const bj::value& index = indexes.empty() ? nothing : indexes.begin()->value();
  Compare(LeavesOf(index, "/mappings", "mappings"),
          LeavesOf(wanted, "/template/mappings", "mappings"), false, differences);
  return differences;
}

Result<std::vector<PreparationStep>> LookBesideOpenSearch(const RequestContext& context,
                                                          const OpenSearchOptions& options,
                                                          const PreparationRequest& request,
                                                          Clock& clock, Metrics& metrics) {
  OsPlace place = TRY(ReadOpenSearchAddress(options));
  return std::make_shared<Beside>(std::move(place), request, clock, metrics)->Look(context);
}

}  // namespace roost
