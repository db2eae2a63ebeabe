#include "gateway/records/connected_records.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/json.h"
#include "gateway/records/flat_record.h"
#include "store/json_value.h"

namespace roost {

namespace {

namespace f = record_field;

void AddIds(const Value& value, std::vector<std::string>& ids) {
  if (const auto* id = std::get_if<std::string>(&value)) {
    ids.push_back(*id);
  } else if (const auto* array = std::get_if<Array>(&value)) {
    for (const Value& element : *array) {
      AddIds(element, ids);
    }
  }
}

// The unique ids that a property holds, whether it is declared in the collection or came later.
std::vector<std::string> ReferencesOf(const Record& record, const std::string& property) {
  std::vector<std::string> ids;
  if (const auto found = record.fields.find(property); found != record.fields.end()) {
    AddIds(found->second, ids);
  } else if (!record.dynamic.empty()) {
    AddIds(JsonAt(record.dynamic, {property}), ids);
  }
  return ids;
}

std::string_view IdOf(const Record& record) { return std::get<std::string>(record.key.key); }

class Finder {
 public:
  Finder(const RequestContext& context, const ConnectionSearch& search, ConnectedRecords& result)
      : context_(context), search_(search), result_(result) {
    for (const Record& record : result.records) {
      hits_.insert(std::string(IdOf(record)));
      by_type_[std::string(TextOf(record, f::kType))].emplace_back(IdOf(record));
    }
  }

  Status Run() {
    TRY(FollowReferences());
    for (const RecordKind& kind : search_.layout.kinds->kinds()) {
      for (const RecordProperty& property : kind.properties) {
        const auto targets = by_type_.find(property.refers_to);
        if (!property.refers_to.empty() && targets != by_type_.end()) {
          TRY(FindReferring(kind, property, targets->second));
        }
      }
    }
    for (auto& [id, record] : found_) {
      result_.connected.push_back(std::move(record));
    }
    result_.links.assign(links_.begin(), links_.end());
    return {};
  }

 private:
  Status FollowReferences() {
    std::vector<RecordLink> wanted;
    std::set<std::string> ids;
    for (const Record& record : result_.records) {
      const Result<const RecordKind*> kind = search_.layout.kinds->Find(TextOf(record, f::kType));
      if (!kind.ok()) {
        continue;  // of a kind that was taken out of the document
      }
      for (const RecordProperty& property : (*kind)->properties) {
        if (property.refers_to.empty()) {
          continue;
        }
        for (std::string& id : ReferencesOf(record, property.field.name)) {
          ids.insert(id);
          wanted.push_back({std::string(IdOf(record)), property.field.name, std::move(id)});
        }
      }
    }
    TRY(Fetch(ids));
    for (RecordLink& link : wanted) {
      if (hits_.contains(link.to) || found_.contains(link.to)) {
        links_.insert(std::move(link));
      }
    }
    return {};
  }

  Status Fetch(const std::set<std::string>& ids) {
    GetRequest get{.collection = search_.scope.collection};
    get.output.vectors = search_.include_vector;
    for (const std::string& id : ids) {
      if (!hits_.contains(id) && !id.empty()) {
        if (get.keys.size() == search_.limit) {
          result_.complete = false;
          break;
        }
        get.keys.push_back({.tenant = search_.scope.tenant, .key = id});
      }
    }
    if (get.keys.empty()) {
      return {};
    }
    GetResult got = TRY(search_.gateway.Get(context_, get));
    for (std::optional<Record>& record : got.records) {
      if (record && !IsDeletion(*record)) {
        std::string id(IdOf(*record));
        found_.emplace(std::move(id), *std::move(record));
      }
    }
    return {};
  }

  // Records of `kind` whose property holds one of these ids.
  Status FindReferring(const RecordKind& kind, const RecordProperty& property,
                       const std::vector<std::string>& targets) {
    const CollectionSchema& schema = *search_.layout.schema;
    const FieldSchema* declared = schema.FindField(property.field.name);
    const bool array = property.field.type == DataType::kArray;
    const std::string name = declared != nullptr
                                 ? fmt::format("`{}`", property.field.name)
                                 : fmt::format("$meta[{}]", JsonText(property.field.name));
    const std::string filter = fmt::format(
        "deleted == false and record_type == {{kind}} and {}",
        array ? fmt::format("{}({}, {{ids}})",
                            declared != nullptr ? "array_contains_any" : "json_contains_any", name)
              : fmt::format("{} in {{ids}}", name));
    QueryRequest query{
        .collection = search_.scope.collection, .filter = {}, .tenant = search_.scope.tenant};
    const Array ids(targets.begin(), targets.end());
    query.filter =
        TRY(ParseFilter(filter, schema, {{"kind", Value(kind.name)}, {"ids", Value(ids)}}));
    query.limit = search_.limit + 1;
    query.output.vectors = search_.include_vector;
    QueryResult referring = TRY(search_.gateway.Query(context_, query));
    for (Record& record : referring.records) {
      Take(property.field.name, targets, std::move(record));
    }
    return {};
  }

  void Take(const std::string& property, const std::vector<std::string>& targets, Record record) {
    const std::string id(IdOf(record));
    if (!hits_.contains(id) && !found_.contains(id) && found_.size() >= search_.limit) {
      result_.complete = false;
      return;
    }
    for (const std::string& to : ReferencesOf(record, property)) {
      if (std::find(targets.begin(), targets.end(), to) != targets.end()) {
        links_.insert({id, property, to});
      }
    }
    if (!hits_.contains(id)) {
      found_.emplace(id, std::move(record));
    }
  }

  static std::string JsonText(std::string_view text) {
    std::string out;
    AppendJsonString(out, text);
    return out;
  }

  const RequestContext& context_;
  const ConnectionSearch& search_;
  ConnectedRecords& result_;
  std::set<std::string, std::less<>> hits_;
  std::map<std::string, std::vector<std::string>, std::less<>> by_type_;
  std::map<std::string, Record, std::less<>> found_;
  std::set<RecordLink> links_;
};

}  // namespace

Status FindConnected(const RequestContext& context, const ConnectionSearch& search,
                     ConnectedRecords& result) {
  return Finder(context, search, result).Run();
}

}  // namespace roost
