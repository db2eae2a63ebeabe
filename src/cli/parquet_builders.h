#pragma once

#include <memory>
#include <string_view>

#include <arrow/api.h>
#include <simdjson.h>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// Collects one column's cells from JSON. Throws simdjson_error for JSON that is none.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(std::shared_ptr<arrow::ArrayBuilder> builder)
      : builder_(std::move(builder)) {}
  virtual ~ColumnBuilder() = default;

  Status Append(simdjson::ondemand::value value);
  /// Only for columns of texts.
  Status AppendText(std::string_view text);
  /// Nulls until there are `rows` cells.
  Status FillTo(int64_t rows);
  Result<std::shared_ptr<arrow::Array>> Finish();

 protected:
  virtual arrow::Status AppendValue(simdjson::ondemand::value& value) = 0;
  const std::shared_ptr<arrow::ArrayBuilder> builder_;
};

std::unique_ptr<ColumnBuilder> MakeColumnBuilder(const FieldSchema& field);
std::unique_ptr<ColumnBuilder> MakeColumnBuilder(const VectorFieldSchema& vector);

}  // namespace roost
