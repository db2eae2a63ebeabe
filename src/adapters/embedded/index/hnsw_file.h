#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "adapters/embedded/index/code_space.h"
#include "adapters/embedded/index/kernels.h"
#include "adapters/embedded/index/vector_index.h"
#include "base/result.h"

namespace roost::embedded {

// A graph in memory is byte for byte what stands in its file, so opening a mapped file copies
// nothing. All numbers are little endian; every section starts at a multiple of 64:
//
//   header      HnswHeader
//   center      dimension floats (numeric vectors)
//   slots       a u32 a node: the slot of its vector; the highest bit says that more slots have
//               the same vector
//   twins       (u32 node, u32 slot), rising: those other slots
//   node_of     a u32 a slot: its node, or kNoNode where it has no vector
//   levels      a byte a node: the highest layer it is on
//   upper_at    a u32 a node above the ground: where its first list in `upper` is
//   upper       lists of m u32: neighbours on layers 1, 2, …
//   ground      a list of 2m u32 a node
//   scales      a CodeScale a node (numeric vectors)
//   codes       `stride` bytes a node: 8-bit codes, or the bits themselves
//   checksum    u32 CRC32C of everything before, in the last 8 bytes; the other 4 are zero
//
// A list that is not full ends with kNoNode.

inline constexpr uint32_t kNoNode = 0xffffffffu;
inline constexpr uint32_t kHasTwins = 0x80000000u;  ///< in `slots`
inline constexpr uint32_t kMaxLevel = 15;
inline constexpr uint32_t kMaxM = 512;

enum class NodeSpace : uint32_t { kCodes = 0, kHamming = 1, kJaccard = 2 };

struct HnswHeader {
  char magic[8] = {'R', 'O', 'O', 'S', 'T', 'H', 'N', 'W'};
  uint32_t version = 1;
  NodeSpace space = NodeSpace::kCodes;
  uint64_t file_bytes = 0;
  // The column the graph was built from.
  uint64_t sample_hash = 0;
  uint32_t type = 0;
  uint32_t metric = 0;
  uint32_t dimension = 0;
  uint32_t count = 0;
  // The graph.
  uint32_t m = 0;
  uint32_t ef_construction = 0;
  uint32_t nodes = 0;
  uint32_t twins = 0;
  uint32_t upper_lists = 0;
  uint32_t entry = kNoNode;  ///< a node of the highest layer
  float radius = 0;          ///< as in SpaceFit
  float typical_scale = 0;
  float typical_length = 0;
  uint32_t reserved = 0;
};
static_assert(sizeof(HnswHeader) == 88);

struct Twin {
  uint32_t node = 0;
  uint32_t slot = 0;
};

/// A graph's bytes, each section by name. T is std::byte or const std::byte.
template <typename T>
struct HnswSections {
  template <typename U>
  using Like = std::conditional_t<std::is_const_v<T>, const U, U>;

  Like<HnswHeader>* header = nullptr;
  Like<float>* center = nullptr;
  Like<uint32_t>* slots = nullptr;
  Like<Twin>* twins = nullptr;
  Like<uint32_t>* node_of = nullptr;
  Like<uint8_t>* levels = nullptr;
  Like<uint32_t>* upper_at = nullptr;
  Like<uint32_t>* upper = nullptr;
  Like<uint32_t>* ground = nullptr;
  Like<CodeScale>* scales = nullptr;
  Like<uint8_t>* codes = nullptr;
  Like<uint8_t>* checksum = nullptr;

  uint32_t ground_width() const { return header->m * 2; }
  Like<uint32_t>* List(uint32_t node, uint32_t layer) const {
    return layer == 0 ? ground + size_t{node} * ground_width()
                      : upper + (size_t{upper_at[node]} + layer - 1) * header->m;
  }
  uint32_t Width(uint32_t layer) const { return layer == 0 ? ground_width() : header->m; }
  size_t stride() const;
  CodeTable codes_table() const { return {.codes = codes, .scales = scales, .stride = stride()}; }
};
using HnswView = HnswSections<const std::byte>;

/// Bytes of one node's code.
size_t NodeCodeBytes(const HnswHeader& header);
/// Bytes of the whole file for the counts in `header`; nothing when they make no sense.
Result<uint64_t> HnswFileBytes(const HnswHeader& header);
/// Finds the sections behind a header whose counts fit the bytes.
HnswSections<std::byte> MutableSections(std::byte* bytes, const HnswHeader& header);
HnswView ViewSections(const std::byte* bytes, const HnswHeader& header);

/// The fields by which a column is known again; the rest is default.
HnswHeader DescribeColumn(const VectorColumn& column);
SpaceFit ReadFit(const HnswView& view);

/// Memory for a graph, aligned to huge pages where it is large.
class GraphMemory {
 public:
  explicit GraphMemory(size_t size);
  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

/// Writes the checksum over the rest of the bytes.
void SealChecksum(std::span<std::byte> bytes);
/// Everything that Search relies on: the checksum, that the bytes are of this column, and that
/// every link, slot and offset is in range. kDataLoss says what is wrong.
Result<HnswView> CheckHnswFile(const VectorColumn& column, std::span<const std::byte> bytes);

template <typename T>
size_t HnswSections<T>::stride() const {
  return CodeStride(NodeCodeBytes(*header));
}

}  // namespace roost::embedded
