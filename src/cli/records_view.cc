#include "cli/records_view.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace roost {

namespace bj = boost::json;

namespace {

constexpr size_t kShownElements = 4;

// Columns in the order in which the records name them.
std::vector<std::string> Columns(const std::vector<const bj::object*>& records) {
  std::vector<std::string> columns;
  for (const bj::object* record : records) {
    for (const auto& member : *record) {
      const std::string name(member.key());
      if (std::find(columns.begin(), columns.end(), name) == columns.end()) {
        columns.push_back(name);
      }
    }
  }
  return columns;
}

void AppendCells(std::vector<std::string>& cells, const bj::object& record,
                 const std::vector<std::string>& columns) {
  for (const std::string& column : columns) {
    const bj::value* value = record.if_contains(column);
    cells.push_back(value == nullptr ? std::string() : CellText(*value));
  }
}

}  // namespace

Result<bj::value> ParseReply(std::string_view text) {
  bj::error_code error;
  bj::value value = bj::parse(bj::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return Internal("the server's reply cannot be read; is that a Roost server?");
  }
  return value;
}

std::string TextMember(const bj::value& object, std::string_view name) {
  const bj::value* member =
      object.is_object()
          ? object.get_object().if_contains(bj::string_view(name.data(), name.size()))
          : nullptr;
  return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                  : std::string();
}

double NumberMember(const bj::value& object, std::string_view name) {
  const bj::value* member =
      object.is_object()
          ? object.get_object().if_contains(bj::string_view(name.data(), name.size()))
          : nullptr;
  return member != nullptr && member->is_number() ? member->to_number<double>() : 0;
}

std::string CellText(const bj::value& value) {
  if (value.is_string()) {
    return std::string(value.get_string());
  }
  if (value.is_null()) {
    return "";
  }
  if (value.is_double()) {
    return fmt::format("{}", value.get_double());
  }
  if (value.is_array() && value.get_array().size() > kShownElements &&
      value.get_array().front().is_number()) {
    const bj::array& array = value.get_array();
    std::string out = "[";
    for (size_t i = 0; i < kShownElements; ++i) {
      out += CellText(array[i]) + ", ";
    }
    return out + fmt::format("…] ({})", array.size());
  }
  return bj::serialize(value);
}

Table RecordsTable(const bj::array& records) {
  std::vector<const bj::object*> objects;
  for (const bj::value& record : records) {
    if (record.is_object()) {
      objects.push_back(&record.get_object());
    }
  }
  const std::vector<std::string> columns = Columns(objects);
  Table table(columns);
  for (const bj::object* object : objects) {
    std::vector<std::string> cells;
    AppendCells(cells, *object, columns);
    table.AddRow(std::move(cells));
  }
  return table;
}

Table HitsTable(const bj::array& hits, const std::string& key_field) {
  static const bj::object kNothing;
  std::vector<const bj::object*> records;
  for (const bj::value& hit : hits) {
    const bj::object* object = hit.if_object();
    const bj::value* record = object == nullptr ? nullptr : object->if_contains("record");
    records.push_back(record != nullptr && record->is_object() ? &record->get_object() : &kNothing);
  }
  std::vector<std::string> columns = Columns(records);
  std::erase(columns, key_field);
  std::vector<std::string> headers = {"#", "score", "distance", key_field};
  headers.insert(headers.end(), columns.begin(), columns.end());
  Table table(headers);
  for (size_t rank = 0; rank < records.size(); ++rank) {
    const bj::object* hit = hits[rank].if_object();
    const bj::value* id = hit == nullptr ? nullptr : hit->if_contains("id");
    std::vector<std::string> cells = {std::to_string(rank + 1),
                                      fmt::format("{:.6g}", NumberMember(hits[rank], "score")),
                                      fmt::format("{:.6g}", NumberMember(hits[rank], "distance")),
                                      id == nullptr ? std::string() : CellText(*id)};
    AppendCells(cells, *records[rank], columns);
    table.AddRow(std::move(cells));
  }
  return table;
}

}  // namespace roost
