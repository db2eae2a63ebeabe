#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "cli/row_source.h"
#include "store/types.h"

namespace roost {

struct InferOptions {
  std::string collection;
  std::string key_field;     ///< empty: "id"
  std::string tenant_field;  ///< empty: none
  bool dynamic = false;
  Metric metric = Metric::kCosine;        ///< of vectors whose metric nothing tells
  std::map<std::string, DataType> types;  ///< what the user says, before anything else
  std::optional<CollectionSchema> known;  ///< what the file says
};

/// A collection's schema from its first records: whole numbers are INT64, others DOUBLE, texts
/// VARCHAR, or TEXT (which can be searched for words) where half of them or more hold several
/// words, arrays of numbers of one length that are not all whole FLOAT_VECTOR, other arrays of
/// one kind ARRAY, {"indices", "values"} SPARSE_VECTOR, everything else JSON. kInvalidArgument when
/// the key is missing or two records contradict each other.
Result<CollectionSchema> InferSchema(std::span<const SourceRow> rows, const InferOptions& options);

/// "collection books: key id INT64; title TEXT; embedding FLOAT_VECTOR(384, COSINE)".
std::string DescribeSchema(const CollectionSchema& schema);

}  // namespace roost
