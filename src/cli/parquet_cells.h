#pragma once

#include <string>

#include <arrow/api.h>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// One cell as JSON: numbers, texts, lists, structs (objects); timestamps and dates in
/// microseconds; binary values as base64. `base64`: a list of numbers as base64 of its elements.
Status AppendCell(std::string& out, const arrow::Array& column, int64_t row, bool base64);

/// Adds what a column's type tells to `schema`; nothing where JSON tells as much.
void DescribeColumn(const arrow::Field& column, CollectionSchema& schema);

/// How a field is kept in a Parquet file.
std::shared_ptr<arrow::DataType> ColumnType(DataType type, DataType element_type);
/// Lists, not fixed-size ones: Arrow cannot read those back where a record has no vector.
std::shared_ptr<arrow::DataType> ColumnType(const VectorFieldSchema& vector);

/// The bytes of a column's cells are those of vectors of that type.
bool HoldsElementsOf(const arrow::DataType& column, DataType vector);

/// kUnavailable with Arrow's words.
Error FromArrow(const arrow::Status& status, std::string_view doing);

}  // namespace roost
