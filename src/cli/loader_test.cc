#include "cli/loader.h"

#include <atomic>
#include <map>
#include <mutex>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "net/http_testing.h"

namespace roost {
namespace {

namespace bj = boost::json;

// A collection that refuses a whole write with a "bad" record, and single rows that are "taken".
class Books {
 public:
  Books() {
    server_.On("/v1/collections/books/upsert").handle = [this](const HttpRequest& request) {
      return Write(request.body);
    };
    server_.On("/v1/collections/books/insert").handle = [this](const HttpRequest& request) {
      return Write(request.body);
    };
    server_.Start();
    api_ = std::make_unique<Api>(
        Api::Options{.url = "http://127.0.0.1:" + std::to_string(server_.port())}, clock_);
  }

  Api& api() { return *api_; }
  std::vector<size_t> sizes() {
    const std::lock_guard lock(mutex_);
    return sizes_;
  }
  size_t written() {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  std::atomic<int> failing{0};  ///< status of all replies, where not 0

 private:
  HttpResponse Write(const std::string& body) {
    const bj::value document = bj::parse(body);
    const bj::array& records = document.at("records").as_array();
    const std::lock_guard lock(mutex_);
    sizes_.push_back(records.size());
    if (failing != 0) {
      return {.status = failing, .body = R"({"code":"INTERNAL","detail":"the disk is gone"})"};
    }
    for (const bj::value& record : records) {
      if (record.as_object().contains("bad")) {
        return {.status = 400,
                .body = R"({"code":"INVALID_ARGUMENT","detail":"unknown field \"bad\""})"};
      }
    }
    bj::array errors;
    for (size_t row = 0; row < records.size(); ++row) {
      if (records[row].as_object().contains("taken")) {
        errors.push_back({{"row", row}, {"message", "exists already"}});
      }
    }
    const size_t written = records.size() - errors.size();
    written_ += written;
    return {.body = bj::serialize(bj::object{{"written", written}, {"errors", errors}})};
  }

  TestServer server_;
  SystemClock clock_;
  std::unique_ptr<Api> api_;
  std::mutex mutex_;
  std::vector<size_t> sizes_;
  size_t written_ = 0;
};

struct Outcome {
  Status status;
  LoaderCounts counts;
  std::map<uint64_t, std::string> refused;
};

Outcome LoadAll(Books& books, LoaderOptions options, std::vector<SourceRow> rows) {
  Outcome outcome;
  options.collection = "books";
  Loader loader(options, books.api(),
                [&](uint64_t number, const std::string& why) { outcome.refused[number] = why; });
  for (SourceRow& row : rows) {
    outcome.status = loader.Add(std::move(row));
    if (!outcome.status.ok()) {
      break;
    }
  }
  const Status finished = loader.Finish();
  outcome.status = outcome.status.ok() ? finished : outcome.status;
  outcome.counts = loader.counts();
  return outcome;
}

std::vector<SourceRow> Rows(size_t count) {
  std::vector<SourceRow> rows;
  for (uint64_t i = 1; i <= count; ++i) {
    rows.push_back({.json = R"({"id":)" + std::to_string(i) + "}", .error = {}, .number = i});
  }
  return rows;
}

TEST(Loader, SendsEveryRowOnceInBatches) {
  Books books;
  const Outcome outcome = LoadAll(books, {.batch_rows = 10, .parallel = 3}, Rows(95));
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.counts.rows, 95u);
  EXPECT_EQ(outcome.counts.written, 95u);
  EXPECT_EQ(books.written(), 95u);
  EXPECT_EQ(books.sizes().size(), 10u);
}

TEST(Loader, SendsABatchBeforeItGrowsBeyondItsBytes) {
  Books books;
  std::vector<SourceRow> rows = Rows(4);
  const size_t row_bytes = rows[0].json.size();
  EXPECT_TRUE(
      LoadAll(books, {.batch_bytes = 2 * row_bytes, .parallel = 1}, std::move(rows)).status.ok());
  EXPECT_EQ(books.sizes(), (std::vector<size_t>{2, 2}));
}

TEST(Loader, HalvesARefusedBatchUntilTheBadRowsAreAlone) {
  Books books;
  std::vector<SourceRow> rows = Rows(64);
  rows[6].json = R"({"bad":1})";
  rows[40].json = R"({"bad":1})";
  rows[50].json = R"({"taken":1})";
  rows[60] = {.json = {}, .error = "not valid JSON", .number = 61};
  const Outcome outcome = LoadAll(books, {.batch_rows = 64}, std::move(rows));
  EXPECT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.counts.written, 60u);
  EXPECT_EQ(outcome.counts.refused, 4u);
  const std::map<uint64_t, std::string> expected = {{7, "unknown field \"bad\""},
                                                    {41, "unknown field \"bad\""},
                                                    {51, "exists already"},
                                                    {61, "not valid JSON"}};
  EXPECT_EQ(outcome.refused, expected);
}

TEST(Loader, StopsWhenMoreRowsAreRefusedThanAllowed) {
  Books books;
  std::vector<SourceRow> rows = Rows(100);
  for (SourceRow& row : rows) {
    row.error = "broken";
  }
  const Outcome outcome = LoadAll(books, {.max_errors = 5}, std::move(rows));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.code(), Code::kAborted);
  EXPECT_NE(outcome.status.error().message.find("more than 5 rows"), std::string::npos);
  EXPECT_EQ(outcome.refused.size(), 5u);
  EXPECT_EQ(outcome.counts.rows, 6u);
}

TEST(Loader, EndsAtAFailureOfTheServerAndSaysIt) {
  Books books;
  books.failing = 500;
  const Outcome outcome = LoadAll(books, {.batch_rows = 1, .parallel = 1}, Rows(1'000));
  ASSERT_FALSE(outcome.status.ok());
  EXPECT_EQ(outcome.status.error().message, "the disk is gone");
  EXPECT_LT(books.sizes().size(), 1'000u);
  EXPECT_EQ(outcome.counts.written, 0u);
}

TEST(Loader, MayBeDroppedInTheMiddle) {
  Books books;
  Loader loader({.collection = "books", .batch_rows = 2}, books.api(),
                [](uint64_t, const std::string&) {});
  for (SourceRow& row : Rows(5)) {
    EXPECT_TRUE(loader.Add(std::move(row)).ok());
  }
}

}  // namespace
}  // namespace roost
