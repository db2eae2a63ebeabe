#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>

#include "store/filter.h"
#include "store/filter_lexer.h"

namespace roost {
namespace {

std::string_view Symbol(Comparison comparison) {
  constexpr std::string_view kSymbols[] = {"==", "!=", "<", "<=", ">", ">="};
  return kSymbols[static_cast<size_t>(comparison)];
}

void PrintString(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char octal[8];
      std::snprintf(octal, sizeof(octal), "\\%03o", static_cast<unsigned>(c));
      out += octal;
    } else {
      out += c;
    }
  }
  out += '"';
}

void PrintValue(std::string& out, const Value& value) {
  char text[40];
  switch (value.index()) {
    case 1:
      out += std::get<bool>(value) ? "true" : "false";
      return;
    case 2:
      out += std::to_string(std::get<int64_t>(value));
      return;
    case 3: {
      const auto end = std::to_chars(text, text + sizeof(text), std::get<double>(value)).ptr;
      const std::string_view digits(text, static_cast<size_t>(end - text));
      out += digits;
      out += digits.find_first_of(".e") == std::string_view::npos ? ".0" : "";
      return;
    }
    case 4:
      PrintString(out, std::get<std::string>(value));
      return;
    case 6: {
      out += '[';
      bool first = true;
      for (const auto& element : std::get<Array>(value)) {
        out += first ? "" : ", ";
        first = false;
        PrintValue(out, element);
      }
      out += ']';
      return;
    }
    default:
      out += "null";  // the parser makes no such literal
  }
}

class Printer {
 public:
  explicit Printer(const CollectionSchema& schema) : schema_(schema) {}

  void Print(const Filter& filter);
  std::string Take() { return std::move(out_); }

 private:
  void PrintName(const std::string& name) {
    out_ += IsFilterKeyword(name) ? "`" + name + "`" : name;
  }
  void PrintPath(const Operand& operand);
  void PrintOperand(const Operand& operand);
  void PrintChildren(const Filter& filter, std::string_view word);
  void PrintArrayCall(const Filter& filter);

  const CollectionSchema& schema_;
  std::string out_;
};

void Printer::PrintPath(const Operand& operand) {
  if (operand.name.empty()) {
    out_ += "$meta";
  } else {
    PrintName(operand.name);
  }
  for (const auto& step : operand.path) {
    out_ += '[';
    if (const auto* member = std::get_if<std::string>(&step)) {
      PrintString(out_, *member);
    } else {
      out_ += std::to_string(std::get<int64_t>(step));
    }
    out_ += ']';
  }
}

void Printer::PrintOperand(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      PrintValue(out_, operand.literal);
      return;
    case Operand::Kind::kKey:
      PrintName(schema_.key_field);
      return;
    case Operand::Kind::kTenant:
      PrintName(schema_.tenant_field);
      return;
    case Operand::Kind::kField:
    case Operand::Kind::kJsonPath:
    case Operand::Kind::kArrayElement:
      PrintPath(operand);
      return;
    case Operand::Kind::kArrayLength:
      out_ += "array_length(";
      PrintPath(operand);
      out_ += ')';
      return;
    case Operand::Kind::kArithmetic:
      out_ += '(';
      PrintOperand(operand.children.at(0));
      out_ += std::string(" ") + operand.arithmetic + " ";
      PrintOperand(operand.children.at(1));
      out_ += ')';
  }
}

void Printer::PrintChildren(const Filter& filter, std::string_view word) {
  bool first = true;
  for (const auto& child : filter.children) {
    out_ += first ? "" : " " + std::string(word) + " ";
    first = false;
    const bool group = child->op == FilterOp::kAnd || child->op == FilterOp::kOr;
    out_ += group ? "(" : "";
    Print(*child);
    out_ += group ? ")" : "";
  }
}

void Printer::PrintArrayCall(const Filter& filter) {
  const bool json = filter.left.kind == Operand::Kind::kJsonPath;
  out_ += json ? "json_contains" : "array_contains";
  out_ += filter.op == FilterOp::kArrayContainsAll ? "_all(" : "_any(";
  PrintPath(filter.left);
  out_ += ", ";
  PrintValue(out_, Value(Array(filter.values)));
  out_ += ')';
}

void Printer::Print(const Filter& filter) {
  switch (filter.op) {
    case FilterOp::kTrue:
    case FilterOp::kFalse:
      out_ += filter.op == FilterOp::kTrue ? "true" : "false";
      return;
    case FilterOp::kAnd:
    case FilterOp::kOr:
      PrintChildren(filter, filter.op == FilterOp::kAnd ? "and" : "or");
      return;
    case FilterOp::kNot:
      out_ += "not (";
      Print(*filter.children.at(0));
      out_ += ')';
      return;
    case FilterOp::kCompare:
      PrintOperand(filter.left);
      out_ += " " + std::string(Symbol(filter.comparison)) + " ";
      PrintOperand(filter.right);
      return;
    case FilterOp::kIn:
      PrintOperand(filter.left);
      out_ += " in ";
      PrintValue(out_, Value(Array(filter.values)));
      return;
    case FilterOp::kLike:
      PrintOperand(filter.left);
      out_ += " like ";
      PrintString(out_, filter.pattern);
      return;
    case FilterOp::kIsNull:
      PrintOperand(filter.left);
      out_ += " is null";
      return;
    case FilterOp::kExists:
      out_ += "exists ";
      PrintOperand(filter.left);
      return;
    case FilterOp::kArrayContainsAll:
    case FilterOp::kArrayContainsAny:
      PrintArrayCall(filter);
      return;
    case FilterOp::kTextMatch:
      out_ += "text_match(";
      PrintOperand(filter.left);
      out_ += ", ";
      PrintValue(out_, filter.values.at(0));
      out_ += ')';
  }
}

}  // namespace

std::string PrintFilter(const Filter& filter, const CollectionSchema& schema) {
  Printer printer(schema);
  printer.Print(filter);
  return printer.Take();
}

}  // namespace roost
