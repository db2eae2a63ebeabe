#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

/// The vectors of one field in one segment, by slot. Borrowed memory (usually a mapped file) that
/// outlives whoever holds the view. A slot without a vector has its bit cleared in `present`.
struct VectorColumn {
  DataType type = DataType::kFloatVector;
  Metric metric = Metric::kCosine;
  uint32_t dimension = 0;
  const std::byte* data = nullptr;  ///< slot s at data + s * stride; element order of store/types.h
  size_t stride = 0;                ///< bytes; a multiple of 4
  uint32_t count = 0;               ///< slots
  std::span<const uint64_t> present;  ///< one bit a slot; empty: all present
  /// kSparseVector only, where `stride` is unused: slot s is the bytes from data + offsets[s] up to
  /// data + offsets[s + 1]; count + 1 entries, multiples of 8.
  std::span<const uint64_t> offsets;
};

/// Slots that may be returned: one bit each. Empty span: all.
using SlotSet = std::span<const uint64_t>;

struct Neighbor {
  float distance = 0;  ///< as store/types.h's Metric defines it
  uint32_t slot = 0;
};

struct IndexSearch {
  std::span<const std::byte> query;  ///< element order of store/types.h
  uint32_t top_k = 10;
  uint32_t ef = 64;
  SlotSet allowed;  ///< live and matching slots
  uint64_t allowed_count = 0;
};

/// Distances between two vectors of one type, by the best kernel of this machine. Stateless.
/// `ForceKernels("scalar" | "avx2" | "avx512" | "")` chooses for tests; also ROOST_SIMD.
float Distance(const VectorColumn& column, std::span<const std::byte> query, uint32_t slot);
Status ForceKernels(std::string_view name);
/// Which kernels run: "avx512", "avx2", "scalar".
std::string_view ActiveKernels();

/// The exact answer: every allowed slot is compared. Best first, ties by slot.
std::vector<Neighbor> ExactSearch(const VectorColumn& column, const IndexSearch& search);

/// A derived structure that finds near neighbours in one sealed column faster than ExactSearch. It
/// is rebuilt from the column whenever its file is missing or damaged. Immutable; Search is thread
/// safe.
class VectorIndex {
 public:
  virtual ~VectorIndex() = default;
  /// Best first; distances are exact (from the column), ties by slot.
  virtual std::vector<Neighbor> Search(const IndexSearch& search) const = 0;
  /// The file's bytes: magic, version, parameters, content, CRC32C at the end.
  virtual std::string Serialize() const = 0;
  virtual size_t memory_bytes() const = 0;
};

struct IndexParameters {
  uint32_t m = 16;  ///< links a node above the ground layer; twice that on it
  uint32_t ef_construction = 200;
  uint32_t threads = 1;
};

/// Builds an HNSW graph. kCancelled when `stop` is requested. `progress` (may be null) is told the
/// number of slots done now and then.
Result<std::unique_ptr<VectorIndex>> BuildHnsw(
    const VectorColumn& column, const IndexParameters& parameters, std::stop_token stop,
    const std::function<void(uint32_t)>& progress = nullptr);
/// Opens what Serialize wrote for the same column; `bytes` is borrowed and outlives the index.
/// kDataLoss when damaged or not of this column.
Result<std::unique_ptr<VectorIndex>> OpenHnsw(const VectorColumn& column,
                                              std::span<const std::byte> bytes);

}  // namespace roost::embedded
