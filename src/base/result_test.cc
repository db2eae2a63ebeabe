#include "base/result.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace roost {
namespace {

Result<int> Half(int number) {
  if (number % 2 != 0) {
    return InvalidArgument("odd");
  }
  return number / 2;
}

Result<int> Quarter(int number) {
  const int half = TRY(Half(number));
  return Half(half);
}

Status CheckEven(int number) {
  TRY(Half(number));
  return {};
}

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = Half(8);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 4);
  EXPECT_EQ(good.code(), Code::kOk);

  const Result<int> bad = Half(7);
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.code(), Code::kInvalidArgument);
  EXPECT_EQ(bad.error().message, "odd");
}

TEST(Result, TryPassesTheErrorUp) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(Quarter(7).code(), Code::kInvalidArgument);
  EXPECT_EQ(Quarter(6).code(), Code::kInvalidArgument);
  EXPECT_TRUE(CheckEven(2).ok());
  EXPECT_EQ(CheckEven(3).error().message, "odd");
}

TEST(Result, MovesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 5);
}

TEST(Result, TakesWhatConvertsToItsValue) {
  struct Base {
    virtual ~Base() = default;
  };
  struct Derived : Base {};
  const auto make = []() -> Result<std::unique_ptr<Base>> { return std::make_unique<Derived>(); };
  EXPECT_TRUE(make().ok());
  const auto text = []() -> Result<std::string> { return "literal"; };
  EXPECT_EQ(*text(), "literal");
}

TEST(Error, PrintsItsCodeAndMessage) {
  EXPECT_EQ(NotFound("no such book").ToString(), "NOT_FOUND: no such book");
  EXPECT_EQ((Error{Code::kAborted, ""}).ToString(), "ABORTED");
}

TEST(Error, WithinKeepsCodeAndOutcome) {
  const Error error{Code::kUnavailable, "connection lost", true};
  const Error outer = error.Within("store \"main\"");
  EXPECT_EQ(outer.code, Code::kUnavailable);
  EXPECT_EQ(outer.message, "store \"main\": connection lost");
  EXPECT_TRUE(outer.outcome_unknown);
}

TEST(Error, EachMakerGivesItsCode) {
  const std::vector<std::pair<Error, Code>> all = {
      {InvalidArgument("x"), Code::kInvalidArgument},
      {NotFound("x"), Code::kNotFound},
      {AlreadyExists("x"), Code::kAlreadyExists},
      {FailedPrecondition("x"), Code::kFailedPrecondition},
      {ResourceExhausted("x"), Code::kResourceExhausted},
      {DeadlineExceeded("x"), Code::kDeadlineExceeded},
      {Cancelled("x"), Code::kCancelled},
      {Aborted("x"), Code::kAborted},
      {Unimplemented("x"), Code::kUnimplemented},
      {Unavailable("x"), Code::kUnavailable},
      {Internal("x"), Code::kInternal},
      {DataLoss("x"), Code::kDataLoss}};
  for (const auto& [error, code] : all) {
    EXPECT_EQ(error.code, code);
    EXPECT_EQ(error.message, "x");
    EXPECT_FALSE(error.outcome_unknown);
  }
}

TEST(Code, HasGrpcsNumbersAndNames) {
  const char* names[] = {"OK",
                         "CANCELLED",
                         "UNKNOWN",
                         "INVALID_ARGUMENT",
                         "DEADLINE_EXCEEDED",
                         "NOT_FOUND",
                         "ALREADY_EXISTS",
                         "PERMISSION_DENIED",
                         "RESOURCE_EXHAUSTED",
                         "FAILED_PRECONDITION",
                         "ABORTED",
                         "OUT_OF_RANGE",
                         "UNIMPLEMENTED",
                         "INTERNAL",
                         "UNAVAILABLE",
                         "DATA_LOSS",
                         "UNAUTHENTICATED"};
  for (size_t i = 0; i < std::size(names); ++i) {
    EXPECT_EQ(CodeName(static_cast<Code>(i)), names[i]);
  }
  EXPECT_EQ(CodeName(static_cast<Code>(99)), "UNKNOWN");
}

TEST(Code, OnlyPassingFailuresAreRetryable) {
  EXPECT_TRUE(IsRetryable(Code::kUnavailable));
  EXPECT_TRUE(IsRetryable(Code::kResourceExhausted));
  EXPECT_TRUE(IsRetryable(Code::kAborted));
  EXPECT_FALSE(IsRetryable(Code::kOk));
  EXPECT_FALSE(IsRetryable(Code::kInvalidArgument));
  EXPECT_FALSE(IsRetryable(Code::kDeadlineExceeded));
  EXPECT_FALSE(IsRetryable(Code::kCancelled));
  EXPECT_FALSE(IsRetryable(Code::kDataLoss));
}

TEST(CheckDeathTest, NamesTheConditionAndThePlace) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(CHECK(1 + 1 == 3), "CHECK failed: 1 \\+ 1 == 3 at .*result_test.cc");
}

}  // namespace
}  // namespace roost
