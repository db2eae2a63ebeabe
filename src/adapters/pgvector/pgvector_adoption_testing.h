#pragma once

// What the tests of adopted tables share.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_testing.h"
#include "store/filter.h"

namespace roost {

class PgAdoptionTest : public testing::Test {
 protected:
  void Sql(const std::string& script) {
    const Status done = session_->Script(Soon(), script, PgEffect::kWrite);
    ASSERT_TRUE(done.ok()) << done.error().ToString();
  }
  /// The only cell, as PostgreSQL's text of it.
  std::string Cell(const std::string& sql) {
    const auto row = session_->Run(Soon(), "SELECT (" + sql + ")::text");
    EXPECT_TRUE(row.ok()) << row.error().ToString();
    return row.ok() && row->rows() == 1 ? (row->IsNull(0, 0) ? "NULL" : row->Text(0, 0)) : "?";
  }
  Result<AdoptionPlan> Plan(const std::string& table) {
    return store_->adoption()->PlanAdoption(Soon(), {.foreign = table, .name = {}, .metric = {}});
  }
  AdoptionPlan Adopt(const std::string& table) {
    auto plan = Plan(table);
    EXPECT_TRUE(plan.ok()) << plan.error().ToString();
    if (!plan.ok()) {
      return {};
    }
    const Status adopted =
        store_->CreateCollection(Soon(), {.schema = plan->schema, .adopt = table});
    EXPECT_TRUE(adopted.ok()) << adopted.error().ToString();
    return *std::move(plan);
  }
  std::string WhyNot(const std::string& table) {
    const auto plan = Plan(table);
    EXPECT_EQ(plan.code(), Code::kFailedPrecondition) << table;
    return plan.ok() ? "" : plan.error().message;
  }
  std::optional<Record> Get(const std::string& collection, const Key& key) {
    const auto got = store_->Get(Soon(), {.collection = collection, .keys = {{"", key}}});
    EXPECT_TRUE(got.ok()) << got.error().ToString();
    return got.ok() ? got->records.at(0) : std::nullopt;
  }
  Status Upsert(const std::string& collection, Record record,
                std::optional<uint64_t> fence = std::nullopt) {
    const auto written = store_->Upsert(
        Soon(), {.collection = collection, .records = {std::move(record)}, .fence = fence});
    return written.ok() ? Status() : Status(written.error());
  }
  Status Delete(const std::string& collection, const Key& key,
                std::optional<uint64_t> fence = std::nullopt, const FilterPtr& filter = nullptr) {
    const auto gone = store_->Delete(
        Soon(), {.collection = collection, .keys = {{"", key}}, .filter = filter, .fence = fence});
    return gone.ok() ? Status() : Status(gone.error());
  }
  std::vector<std::string> Keys(const std::string& collection, const std::string& filter,
                                const CollectionSchema& schema) {
    const auto parsed = ParseFilter(filter, schema);
    EXPECT_TRUE(parsed.ok()) << parsed.error().ToString();
    const auto found = store_->Query(
        Soon(),
        {.collection = collection, .filter = parsed.ok() ? *parsed : nullptr, .tenant = {}});
    EXPECT_TRUE(found.ok()) << found.error().ToString();
    std::vector<std::string> keys;
    if (found.ok()) {
      for (const Record& record : found->records) {
        keys.push_back(ToString(record.key));
      }
    }
    return keys;
  }

  std::unique_ptr<PgVectorStore> store_ = OpenStore(SharedServer());
  std::unique_ptr<PgConnection> session_ = OpenSession(SharedServer().uri);
};

inline Record Row(Key key, std::vector<float> v) {
  Record record;
  record.key.key = std::move(key);
  record.vectors["v"] = Vector::Floats(v);
  return record;
}

/// Fidelity and remark of a row of the report.
inline std::pair<Fidelity, std::string> Said(const AdoptionPlan& plan, const std::string& what) {
  for (const FidelityRow& row : plan.rows) {
    if (row.what == what) {
      return {row.fidelity, row.remark};
    }
  }
  return {Fidelity::kImpossible, "no such row"};
}

inline std::string EveryColumn(const std::string& table) {
  return "CREATE TABLE " + table +
         " (id bigint PRIMARY KEY, flag boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 "
         "double precision, price numeric(10,2), big numeric(18,0), any_number numeric, name text, "
         "short varchar(5), padded char(4), ref uuid, made timestamptz, local timestamp, day date, "
         "meta jsonb, raw json, tags text[], counts integer[], rates real[], v vector(3), h "
         "halfvec(2), sparse sparsevec(5));";
}

}  // namespace roost
