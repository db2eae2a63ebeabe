#include "cli/plan_view.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/file_system.h"
#include "base/json.h"
#include "cli/records_view.h"

namespace roost {

namespace bj = boost::json;

namespace {

const bj::array* List(const bj::value& plan, std::string_view name) {
  const bj::value* member =
      plan.get_object().if_contains(bj::string_view(name.data(), name.size()));
  return member != nullptr && member->is_array() ? &member->get_array() : nullptr;
}

void Append(std::string& out, const bj::value& value, size_t indent, size_t width) {
  const std::string line = bj::serialize(value);
  const bool nested = (value.is_object() && !value.get_object().empty()) ||
                      (value.is_array() && !value.get_array().empty());
  if (!nested || indent + line.size() <= width) {
    out += line;
    return;
  }
  const std::string margin = "\n" + std::string(indent + 2, ' ');
  out += value.is_object() ? '{' : '[';
  bool first = true;
  const auto begin = [&] {
    out += (first ? "" : ",") + margin;
    first = false;
  };
  if (value.is_object()) {
    for (const auto& [name, member] : value.get_object()) {
      begin();
      AppendJsonString(out, name);
      out += ": ";
      Append(out, member, indent + 2, width);
    }
  } else {
    for (const bj::value& element : value.get_array()) {
      begin();
      Append(out, element, indent + 2, width);
    }
  }
  out += "\n" + std::string(indent, ' ');
  out += value.is_object() ? '}' : ']';
}

}  // namespace

Table FidelityTable(const bj::array& rows) {
  Table table({"what", "is", "is kept as", "fidelity", "remark"});
  for (const bj::value& row : rows) {
    table.AddRow({TextMember(row, "what"), TextMember(row, "from"), TextMember(row, "to"),
                  TextMember(row, "fidelity"), TextMember(row, "remark")});
  }
  return table;
}

void PrintPlan(Session& session, const bj::value& plan) {
  session.Say(fmt::format("from {} to {}: {} records in {} chunks", TextMember(plan, "source"),
                          TextMember(plan, "target"), NumberMember(plan, "records"),
                          NumberMember(plan, "chunks")));
  if (const bj::array* rows = List(plan, "fidelity"); rows != nullptr && !rows->empty()) {
    session.Print(FidelityTable(*rows));
  }
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"steps", "  step: "}, {"notes", "  note: "}, {"refusals", "  refused: "}};
  for (const auto& [member, prefix] : kParts) {
    if (const bj::array* texts = List(plan, member)) {
      for (const bj::value& text : *texts) {
        session.Say(std::string(prefix) + CellText(text));
      }
    }
  }
  if (const bj::value* mapping = plan.get_object().if_contains("mapping")) {
    session.Say("the mapping, to be edited (--save-mapping) and given back (--mapping):");
    session.Say(PrettyJson(*mapping));
  }
}

bool PlanIsRefused(const bj::value& plan) {
  const bj::array* refusals = List(plan, "refusals");
  return refusals != nullptr && !refusals->empty();
}

Status SaveMapping(const bj::value& plan, const std::string& path) {
  const bj::value* mapping = plan.get_object().if_contains("mapping");
  if (mapping == nullptr) {
    return InvalidArgument("the plan has no mapping that could be saved");
  }
  return MakePosixFileSystem()->WriteAtomically(path, PrettyJson(*mapping) + "\n");
}

std::string PrettyJson(const bj::value& value, size_t width) {
  std::string out;
  Append(out, value, 0, width);
  return out;
}

}  // namespace roost
