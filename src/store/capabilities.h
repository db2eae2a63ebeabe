#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "store/types.h"

namespace roost {

/// What a store can do, filled at connect. Code asks this, never which store it talks to. The
/// conformance suite tries everything that is claimed here.
struct Capabilities {
  std::string store;         ///< "embedded", "pgvector", …
  std::string version;       ///< of the server, for people
  std::set<DataType> types;  ///< fields and vectors it takes; kArray: of every scalar type in here
  /// Of `types`: those for which the store has no type that holds every value, and what holds them.
  /// They come back bit for bit all the same.
  std::map<DataType, std::string> shadows;
  std::string null_shadow;   ///< what tells that a field is null; empty: the store's own nulls
  std::set<Metric> metrics;  ///< for float vectors
  uint32_t max_dimension = 32'768;
  uint32_t max_indexed_dimension = 32'768;  ///< above: exact search
  uint32_t max_vectors_per_record = 16;
  uint32_t max_top_k = 16'384;
  uint32_t max_key_bytes = 65'535;
  /// INT64 keys that it gives back; others are refused before anything is sent.
  int64_t min_integer_key = std::numeric_limits<int64_t>::min();
  int64_t max_integer_key = std::numeric_limits<int64_t>::max();
  bool keyword_search = false;
  bool dynamic_fields = false;
  bool tenants = false;
  bool fenced_writes = false;
  bool null_bytes_in_strings = true;  ///< "\0" in strings and keys
  bool zero_vector_with_cosine = false;
  uint32_t write_batch_rows = 1'000;        ///< what it likes
  uint64_t write_batch_bytes = 4u << 20;    ///< what it likes
  std::chrono::milliseconds visibility{0};  ///< how late an acknowledged write may show in search
  std::chrono::milliseconds zombie_horizon{
      1'000};  ///< how late a write of unknown outcome may land
};

}  // namespace roost
