#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "metadata/postgres_writer.h"
#include "metadata/sql_control_store.h"
#include "net/pg_pool.h"

namespace roost {

/// See OpenPostgresControlStore. The queue's thread writes by one session; readers share a pool.
class PostgresControlStore final : public SqlControlStore {
 public:
  PostgresControlStore(const PostgresControlOptions& options, const PgOptions& sessions,
                       std::unique_ptr<PostgresWriter> writer, Metrics& metrics);

  Status CheckHealth() override;
  Status CheckHeld() const override { return writer_->CheckHeld(); }

 protected:
  CommitQueue& queue() override { return queue_; }
  Status Query(const char* sql, std::span<const ControlValue> values,
               const VisitRow& visit) override;

 private:
  const PostgresControlOptions options_;
  SystemClock clock_;
  PgPool readers_;
  const std::unique_ptr<PostgresWriter> writer_;
  CommitQueue queue_;  ///< last: its thread uses everything above
};

}  // namespace roost
