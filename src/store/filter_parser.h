#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/filter.h"
#include "store/filter_lexer.h"

namespace roost {

/// Of the parameters' values, each counted as often as the filter uses it. Beside FilterLimits,
/// because a parameter comes with the request, which has its own limit.
inline constexpr size_t kMaxFilterParameterBytes = 64 << 20;

/// A condition (`predicate` set) or something with a value.
struct FilterNode {
  FilterPtr predicate;
  Operand operand;
  size_t position = 0;
  size_t height = 0;      ///< of the operand's tree
  bool from_not = false;  ///< `not x`: a comparison behind it is a mistake
};

/// Recursive descent over one token of look-ahead. Loosest first: or, and, comparison, in, + -,
/// * / %, unary (- + not), `is null` and `like`, primaries: as Milvus' grammar has them.
class FilterParser {
 public:
  FilterParser(std::string_view text, const CollectionSchema& schema,
               const FilterParameters& parameters, const FilterLimits& limits)
      : text_(text), schema_(schema), parameters_(parameters), limits_(limits), lexer_(text) {}

  Result<FilterPtr> Parse() {
    TRY(Advance());
    if (token_.kind == FilterTokenKind::kEnd) {
      return FilterPtr();
    }
    FilterNode node = TRY(ParseOr());
    if (token_.kind != FilterTokenKind::kEnd) {
      return Unexpected("`and`, `or` or the end");
    }
    return ToPredicate(node);
  }

 private:
  // Errors.
  Error At(size_t position, const std::string& message) const {
    return FilterErrorAt(text_, position, message);
  }
  Error Unexpected(const std::string& expected) const;
  /// The value of a Make… call, with the position put into its error.
  template <typename T>
  Result<T> Checked(size_t position, Result<T> made) const {
    return made.ok() ? std::move(made) : Result<T>(At(position, made.error().message));
  }

  // Tokens.
  Status Advance();
  bool Is(FilterTokenKind kind, std::string_view text) const {
    return token_.kind == kind && token_.text == text;
  }
  Status Expect(std::string_view symbol, const std::string& expected);
  Status CountNode();

  // Grammar.
  Result<FilterNode> ParseOr();
  Result<FilterNode> ParseAnd();
  Result<FilterNode> ParseChain(std::string_view word, FilterOp op,
                                Result<FilterNode> (FilterParser::*next)());
  Result<FilterNode> ParseComparison();
  Result<FilterNode> BuildComparisons(
      std::vector<FilterNode> operands,
      const std::vector<std::pair<Comparison, size_t>>& comparisons);
  Result<FilterNode> ParseIn();
  Result<FilterNode> ParseAdditive();
  Result<FilterNode> ParseMultiplicative();
  Result<FilterNode> ParseArithmetic(std::string_view symbols,
                                     Result<FilterNode> (FilterParser::*next)());
  Result<FilterNode> ParseUnary();
  Result<FilterNode> ParseNot();
  Result<FilterNode> ParseMinus();
  Result<FilterNode> ParsePlus();
  Result<FilterNode> ParsePostfix();
  Result<FilterNode> ParsePrimary();
  Result<FilterNode> ParseParentheses();
  Result<FilterNode> ParseExists();
  Result<FilterNode> ParseNameOrCall();
  Result<FilterNode> ParsePath(FilterNode node);
  Result<FilterNode> ParseCall(const std::string& function, size_t position);
  Result<FilterNode> ParseTemplate();
  Result<FilterNode> ParseList();
  Result<FilterNode> TakeLiteral();

  // Conversions.
  Result<FilterPtr> ToPredicate(const FilterNode& node) const;
  Result<Operand> ToOperand(FilterNode node) const;
  Result<Array> ToList(FilterNode node) const;
  Result<std::string> ToText(FilterNode node) const;

  std::string_view text_;
  const CollectionSchema& schema_;
  const FilterParameters& parameters_;
  const FilterLimits& limits_;
  FilterLexer lexer_;
  FilterToken token_;
  size_t depth_ = 0;
  size_t nodes_ = 0;
  size_t parameter_bytes_ = 0;

  /// Counts the nesting while it lives, so that no text can exhaust the stack.
  class Level {
   public:
    explicit Level(FilterParser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    Status Check() const {
      if (parser_.depth_ > parser_.limits_.max_depth) {
        return parser_.At(parser_.token_.position, "the filter is nested deeper than " +
                                                       std::to_string(parser_.limits_.max_depth) +
                                                       " levels");
      }
      return {};
    }

   private:
    FilterParser& parser_;
  };
};

FilterNode MakePredicateNode(FilterPtr predicate, size_t position);
FilterNode MakeLiteralNode(Value value, size_t position);

}  // namespace roost
