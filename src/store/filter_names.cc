#include "store/filter_names.h"

#include <array>
#include <cmath>

#include "store/filter_types.h"
#include "store/scalar_text.h"

namespace roost {
namespace {

using Function = FilterFunction::Kind;

constexpr std::array<FilterFunction, 8> kFunctions = {{
    {"json_contains", Function::kContains},
    {"json_contains_all", Function::kContainsAll},
    {"json_contains_any", Function::kContainsAny},
    {"array_contains", Function::kContains},
    {"array_contains_all", Function::kContainsAll},
    {"array_contains_any", Function::kContainsAny},
    {"array_length", Function::kArrayLength},
    {"text_match", Function::kTextMatch},
}};

std::string KnownNames(const CollectionSchema& schema) {
  constexpr size_t kShown = 12;
  std::string names = schema.key_field;
  if (schema.multi_tenant()) {
    names += ", " + schema.tenant_field;
  }
  size_t shown = 0;
  for (const auto& field : schema.fields) {
    if (++shown > kShown) {
      return names + ", …";
    }
    names += ", " + field.name;
  }
  return names;
}

Operand DynamicMember(const std::string& name) {
  Operand operand;
  operand.kind = Operand::Kind::kJsonPath;
  operand.type = DataType::kJson;
  if (!name.empty()) {
    operand.path.emplace_back(name);
  }
  return operand;
}

Operand DeclaredField(const FieldSchema& field) {
  Operand operand;
  operand.kind = field.type == DataType::kJson ? Operand::Kind::kJsonPath : Operand::Kind::kField;
  operand.name = field.name;
  operand.type = field.type;
  if (field.type == DataType::kArray) {
    operand.element_type = field.element_type;
  }
  return operand;
}

}  // namespace

Result<Operand> ResolveFilterName(const CollectionSchema& schema, const std::string& name) {
  Operand operand;
  if (name == schema.key_field) {
    operand.kind = Operand::Kind::kKey;
    operand.type = schema.key_type == KeyType::kInt64 ? DataType::kInt64 : DataType::kVarChar;
    return operand;
  }
  if (schema.multi_tenant() && name == schema.tenant_field) {
    operand.kind = Operand::Kind::kTenant;
    operand.type = DataType::kVarChar;
    return operand;
  }
  if (const auto* field = schema.FindField(name)) {
    return DeclaredField(*field);
  }
  if (schema.FindVector(name) != nullptr) {
    return InvalidArgument("\"" + name + "\" is a vector; filters compare scalar fields");
  }
  if (!schema.dynamic) {
    return InvalidArgument("unknown field \"" + name + "\"; the collection has " +
                           KnownNames(schema));
  }
  return DynamicMember(name == "$meta" ? std::string() : name);
}

Status AddFilterPathStep(Operand& operand, const Value& step) {
  const auto* member = std::get_if<std::string>(&step);
  const auto* position = std::get_if<int64_t>(&step);
  if (operand.kind == Operand::Kind::kJsonPath) {
    if (operand.name.empty() && operand.path.empty() && member == nullptr) {
      return InvalidArgument("$meta takes the name of a member first, as in $meta[\"x\"]");
    }
    if (member != nullptr) {
      operand.path.emplace_back(*member);
    } else {
      operand.path.emplace_back(*position);
    }
    return {};
  }
  if (operand.kind != Operand::Kind::kField || operand.type != DataType::kArray) {
    return InvalidArgument(DescribeOperand(operand) + "; only JSON and arrays take [ ]");
  }
  if (position == nullptr) {
    return InvalidArgument(DescribeOperand(operand) + "; an array takes a position from 0");
  }
  operand.kind = Operand::Kind::kArrayElement;
  operand.type = operand.element_type;
  operand.path.emplace_back(*position);
  return {};
}

const FilterFunction* FindFilterFunction(std::string_view name) {
  for (const auto& function : kFunctions) {
    std::string upper(function.name);
    for (char& c : upper) {
      c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    if (name == function.name || name == upper) {
      return &function;
    }
  }
  return nullptr;
}

std::string UnknownFilterFunction(std::string_view name) {
  std::string message =
      "Roost's filters have no function \"" + std::string(name) + "\"; they have ";
  for (const auto& function : kFunctions) {
    message += (&function == kFunctions.data() ? "" : ", ") + std::string(function.name);
  }
  return message;
}

Result<FilterPtr> MakeFilterCall(const FilterFunction& function, Operand left, Value argument) {
  if (function.kind == Function::kTextMatch) {
    auto* query = std::get_if<std::string>(&argument);
    if (query == nullptr) {
      return InvalidArgument("text_match takes words in quotes as its second argument");
    }
    return MakeTextMatch(std::move(left), std::move(*query));
  }
  if (function.kind == Function::kContains) {
    return MakeArrayContains(FilterOp::kArrayContainsAll, std::move(left),
                             Array{std::move(argument)});
  }
  auto* list = std::get_if<Array>(&argument);
  if (list == nullptr) {
    return InvalidArgument(std::string(function.name) +
                           " takes a list like [1, 2] as its second argument");
  }
  const FilterOp op = function.kind == Function::kContainsAll ? FilterOp::kArrayContainsAll
                                                              : FilterOp::kArrayContainsAny;
  return MakeArrayContains(op, std::move(left), std::move(*list));
}

Result<Operand> MakeArrayLength(Operand operand) {
  const bool array = operand.kind == Operand::Kind::kField && operand.type == DataType::kArray;
  if (!array && operand.kind != Operand::Kind::kJsonPath) {
    return InvalidArgument(DescribeOperand(operand) + "; array_length takes an array or JSON path");
  }
  operand.kind = Operand::Kind::kArrayLength;
  return operand;
}

Status CheckFilterParameter(const Value& value) {
  switch (value.index()) {
    case 1:
    case 2:
      return {};
    case 3:
      return std::isfinite(std::get<double>(value))
                 ? Status()
                 : InvalidArgument("the parameter's value is NaN or infinite");
    case 4:
      return IsUtf8(std::get<std::string>(value))
                 ? Status()
                 : InvalidArgument("the parameter's value is not valid UTF-8");
    case 6: {
      for (const auto& element : std::get<Array>(value)) {
        if (std::holds_alternative<Array>(element)) {
          for (const auto& inner : std::get<Array>(element)) {
            if (std::holds_alternative<Array>(inner)) {
              return InvalidArgument("the parameter's value is a list nested too deep");
            }
            TRY(CheckFilterParameter(inner));
          }
          continue;
        }
        TRY(CheckFilterParameter(element));
      }
      return {};
    }
    default:
      return InvalidArgument(
          "the parameter's value is null or JSON; use a boolean, number, string or list");
  }
}

size_t FilterParameterBytes(const Value& value) {
  size_t bytes = sizeof(Value);
  if (const auto* text = std::get_if<std::string>(&value)) {
    bytes += text->size();
  } else if (const auto* list = std::get_if<Array>(&value)) {
    for (const auto& element : *list) {
      bytes += FilterParameterBytes(element);
    }
  }
  return bytes;
}

}  // namespace roost
