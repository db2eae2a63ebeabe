#include "adapters/embedded/index/hnsw_file.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include <sys/mman.h>

#include "adapters/embedded/index/distance.h"
#include "base/bytes.h"
#include "base/hash.h"

namespace roost::embedded {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr uint32_t kSampledRows = 64;

/// Lays sections one behind the other.
class Cursor {
 public:
  /// Where a section of `count` × `size` bytes starts.
  uint64_t Take(uint64_t count, uint64_t size) {
    const uint64_t start = at_;
    at_ = (at_ + count * size + 63) / 64 * 64;
    return start;
  }
  uint64_t at() const { return at_; }

 private:
  uint64_t at_ = 0;
};

struct Offsets {
  uint64_t center, slots, twins, node_of, levels, upper_at, upper, ground, scales, codes, checksum,
      end;
};

Offsets Lay(const HnswHeader& header) {
  const bool coded = header.space == NodeSpace::kCodes;
  const uint64_t nodes = header.nodes;
  Cursor cursor;
  cursor.Take(1, sizeof(HnswHeader));
  Offsets offsets;
  offsets.center = cursor.Take(coded ? header.dimension : 0, sizeof(float));
  offsets.slots = cursor.Take(nodes, sizeof(uint32_t));
  offsets.twins = cursor.Take(header.twins, sizeof(Twin));
  offsets.node_of = cursor.Take(header.count, sizeof(uint32_t));
  offsets.levels = cursor.Take(nodes, 1);
  offsets.upper_at = cursor.Take(nodes, sizeof(uint32_t));
  offsets.upper = cursor.Take(header.upper_lists, uint64_t{header.m} * sizeof(uint32_t));
  offsets.ground = cursor.Take(nodes, uint64_t{header.m} * 2 * sizeof(uint32_t));
  offsets.scales = cursor.Take(coded ? nodes : 0, sizeof(CodeScale));
  offsets.codes = cursor.Take(nodes, CodeStride(NodeCodeBytes(header)));
  offsets.checksum = cursor.at();
  offsets.end = offsets.checksum + 8;
  return offsets;
}

template <typename T>
HnswSections<T> Find(T* bytes, const HnswHeader& header) {
  const Offsets at = Lay(header);
  const auto section = [&]<typename U>(U*, uint64_t offset) {
    using Pointer = std::conditional_t<std::is_const_v<T>, const U*, U*>;
    return reinterpret_cast<Pointer>(bytes + offset);
  };
  HnswSections<T> sections;
  sections.header = section(static_cast<HnswHeader*>(nullptr), 0);
  sections.center = section(static_cast<float*>(nullptr), at.center);
  sections.slots = section(static_cast<uint32_t*>(nullptr), at.slots);
  sections.twins = section(static_cast<Twin*>(nullptr), at.twins);
  sections.node_of = section(static_cast<uint32_t*>(nullptr), at.node_of);
  sections.levels = section(static_cast<uint8_t*>(nullptr), at.levels);
  sections.upper_at = section(static_cast<uint32_t*>(nullptr), at.upper_at);
  sections.upper = section(static_cast<uint32_t*>(nullptr), at.upper);
  sections.ground = section(static_cast<uint32_t*>(nullptr), at.ground);
  sections.scales = section(static_cast<CodeScale*>(nullptr), at.scales);
  sections.codes = section(static_cast<uint8_t*>(nullptr), at.codes);
  sections.checksum = section(static_cast<uint8_t*>(nullptr), at.checksum);
  return sections;
}

Error Damaged(const std::string& what) {
  return DataLoss("vector index: " + what + "; it must be built again from the vectors");
}

/// Every entry of the list names a node, and nothing follows the first empty place.
bool ListIsSound(const uint32_t* list, uint32_t width, uint32_t nodes) {
  uint32_t i = 0;
  while (i < width && list[i] != kNoNode) {
    if (list[i] >= nodes) {
      return false;
    }
    ++i;
  }
  return std::all_of(list + i, list + width, [](uint32_t node) { return node == kNoNode; });
}

Status CheckNodes(const HnswView& view) {
  const HnswHeader& header = *view.header;
  for (uint32_t node = 0; node < header.nodes; ++node) {
    if ((view.slots[node] & ~kHasTwins) >= header.count) {
      return Damaged("node " + std::to_string(node) + " names a slot that does not exist");
    }
    if (!ListIsSound(view.List(node, 0), view.ground_width(), header.nodes)) {
      return Damaged("node " + std::to_string(node) + " has a link that leads nowhere");
    }
    const uint32_t level = view.levels[node];
    if (level > kMaxLevel || level > view.levels[header.entry] ||
        (level > 0 && uint64_t{view.upper_at[node]} + level > header.upper_lists)) {
      return Damaged("node " + std::to_string(node) + " has layers that do not exist");
    }
    for (uint32_t layer = 1; layer <= level; ++layer) {
      const uint32_t* list = view.List(node, layer);
      if (!ListIsSound(list, header.m, header.nodes) ||
          std::any_of(list, list + header.m, [&](uint32_t other) {
            return other != kNoNode && view.levels[other] < layer;
          })) {
        return Damaged("node " + std::to_string(node) + " has an upper link that leads nowhere");
      }
    }
  }
  for (uint32_t i = 0; i < header.twins; ++i) {
    const Twin& twin = view.twins[i];
    if (twin.node >= header.nodes || twin.slot >= header.count ||
        (i > 0 && twin.node < view.twins[i - 1].node)) {
      return Damaged("the list of equal vectors is out of order");
    }
  }
  for (uint32_t slot = 0; slot < header.count; ++slot) {
    if (view.node_of[slot] != kNoNode && view.node_of[slot] >= header.nodes) {
      return Damaged("slot " + std::to_string(slot) + " names a node that does not exist");
    }
  }
  return {};
}

/// 0 when all slots have a vector, whether a bitmap says so or there is none.
uint64_t HashPresence(const VectorColumn& column) {
  if (column.present.empty()) {
    return 0;
  }
  uint64_t hash = 0;
  bool all = true;
  for (uint32_t word = 0; word * uint64_t{64} < column.count; ++word) {
    const uint32_t left = column.count - word * 64;
    const uint64_t mask = left >= 64 ? ~uint64_t{0} : (uint64_t{1} << left) - 1;
    const uint64_t bits = word < column.present.size() ? column.present[word] & mask : 0;
    all = all && bits == mask;
    hash = Hash64(std::as_bytes(std::span(&bits, 1)), hash);
  }
  return all ? 0 : hash;
}

}  // namespace

size_t NodeCodeBytes(const HnswHeader& header) {
  return header.space == NodeSpace::kCodes ? header.dimension : (size_t{header.dimension} + 7) / 8;
}

Result<uint64_t> HnswFileBytes(const HnswHeader& header) {
  // With these bounds no product in Lay() can overflow.
  if (header.nodes > header.count || header.twins > header.count || header.m == 0 ||
      header.m > kMaxM || header.count >= kHasTwins || header.dimension > 1'000'000 ||
      header.upper_lists > uint64_t{header.nodes} * kMaxLevel) {
    return Damaged("its counts make no sense");
  }
  return Lay(header).end;
}

HnswSections<std::byte> MutableSections(std::byte* bytes, const HnswHeader& header) {
  return Find<std::byte>(bytes, header);
}

HnswView ViewSections(const std::byte* bytes, const HnswHeader& header) {
  return Find<const std::byte>(bytes, header);
}

HnswHeader DescribeColumn(const VectorColumn& column) {
  HnswHeader header;
  header.type = static_cast<uint32_t>(column.type);
  header.metric = static_cast<uint32_t>(column.metric);
  header.dimension = column.dimension;
  header.count = column.count;
  if (column.type == DataType::kBinaryVector) {
    header.space = column.metric == Metric::kHamming ? NodeSpace::kHamming : NodeSpace::kJaccard;
  }
  const size_t row_bytes = RowBytes(column.type, column.dimension);
  const uint32_t step = std::max(1u, column.count / kSampledRows);
  uint64_t hash = HashPresence(column);
  for (uint32_t slot = 0; slot < column.count; slot += step) {
    if (column.present.empty() || HasBit(column.present, slot)) {
      hash = Hash64({column.data + slot * column.stride, row_bytes}, hash);
    }
  }
  header.sample_hash = hash;
  return header;
}

SpaceFit ReadFit(const HnswView& view) {
  const HnswHeader& header = *view.header;
  return {.center = std::vector<float>(view.center, view.center + header.dimension),
          .radius = header.radius,
          .typical_scale = header.typical_scale,
          .typical_length = header.typical_length};
}

GraphMemory::GraphMemory(size_t size) : size_(size) {
  const bool large = size >= 4 * kHugePage;
  const size_t alignment = large ? kHugePage : 64;
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  if (large) {
    madvise(memory, rounded, MADV_HUGEPAGE);  // A wish: walks jump all over the graph.
  }
  std::memset(memory, 0, rounded);
  data_.reset(memory);
}

void GraphMemory::Free::operator()(std::byte* p) const { std::free(p); }

void SealChecksum(std::span<std::byte> bytes) {
  const uint32_t crc = Crc32c(std::span<const std::byte>(bytes).first(bytes.size() - 8));
  std::memset(bytes.data() + bytes.size() - 8, 0, 8);
  std::memcpy(bytes.data() + bytes.size() - 8, &crc, sizeof(crc));
}

Result<HnswView> CheckHnswFile(const VectorColumn& column, std::span<const std::byte> bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) {
    return InvalidArgument("vector index: its bytes must start at a multiple of 8");
  }
  const HnswHeader expected = DescribeColumn(column);
  if (bytes.size() < sizeof(HnswHeader) + 8) {
    return Damaged("the file has only " + std::to_string(bytes.size()) + " bytes");
  }
  HnswHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, expected.magic, sizeof(header.magic)) != 0 ||
      header.version != expected.version) {
    return Damaged("the file is of another kind or version");
  }
  const uint64_t size = TRY(HnswFileBytes(header));
  if (size != bytes.size() || header.file_bytes != size) {
    return Damaged("the file has " + std::to_string(bytes.size()) + " bytes, not the " +
                   std::to_string(size) + " that its header asks for");
  }
  if (LoadU64(bytes.data() + size - 8) != Crc32c(bytes.first(size - 8))) {
    return Damaged("the checksum does not match");
  }
  if (header.type != expected.type || header.metric != expected.metric ||
      header.space != expected.space || header.dimension != expected.dimension ||
      header.count != expected.count || header.sample_hash != expected.sample_hash) {
    return Damaged("the file was built from other vectors");
  }
  const HnswView view = ViewSections(bytes.data(), header);
  if (header.nodes > 0 && header.entry >= header.nodes) {
    return Damaged("its entry node does not exist");
  }
  TRY(CheckNodes(view));
  return view;
}

}  // namespace roost::embedded
