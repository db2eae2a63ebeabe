#include "adapters/embedded/sealed_segment.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"

namespace roost::embedded {

namespace {

std::string Numbered(const char* format, uint64_t a, uint64_t b) {
  char name[64];
  std::snprintf(name, sizeof(name), format, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  return name;
}

std::string_view BytesOf(std::span<const std::byte> data, const Section& section) {
  return {reinterpret_cast<const char*>(data.data()) + section.offset,
          static_cast<size_t>(section.length)};
}

/// An index together with the file it reads from.
struct MappedKeywordIndex {
  std::unique_ptr<MappedFile> file;
  std::unique_ptr<SealedKeywordIndex> index;
};

}  // namespace

std::string SegmentFileName(uint64_t id) { return Numbered("seg-%08llu.dat", id, 0); }
std::string DeletesFileName(uint64_t id, uint64_t number) {
  return Numbered("seg-%08llu-%08llu.del", id, number);
}
std::string VectorIndexFileName(uint64_t id, size_t vector_field) {
  return Numbered("seg-%08llu-v%llu.idx", id, vector_field);
}
std::string KeywordIndexFileName(uint64_t id, size_t field) {
  return Numbered("seg-%08llu-t%llu.idx", id, field);
}

std::optional<uint64_t> SegmentOfFile(std::string_view name) {
  if (!name.starts_with("seg-")) {
    return std::nullopt;
  }
  const size_t digits = name.find_first_not_of("0123456789", 4);
  const auto id =
      ParseUint64(name.substr(4, digits == std::string_view::npos ? digits : digits - 4));
  return id.ok() ? std::optional<uint64_t>(id.value()) : std::nullopt;
}

Result<std::shared_ptr<SealedSegment>> SealedSegment::Open(FileSystem& file_system,
                                                           const std::string& folder, uint64_t id,
                                                           const CollectionSchema& schema,
                                                           const Layout& layout) {
  const std::string path = JoinPath(folder, SegmentFileName(id));
  auto file = file_system.Map(path);
  if (!file.ok() && file.code() == Code::kNotFound) {
    return DataLoss("segment file " + path +
                    " is missing; restore it from a snapshot or drop the collection");
  }
  if (!file.ok()) {
    return file.error();
  }
  auto header = TRY(ReadSegmentHeader((*file)->data(), path));
  if (header.id != id) {
    return DataLoss("segment file " + path + " is that of segment " + std::to_string(header.id) +
                    "; restore the right file from a snapshot or drop the collection");
  }
  std::shared_ptr<SealedSegment> segment(new SealedSegment(
      file_system, folder, schema, layout, std::move(file).value(), std::move(header)));
  TRY(segment->Attach());
  return segment;
}

SealedSegment::SealedSegment(FileSystem& file_system, std::string folder,
                             const CollectionSchema& schema, const Layout& layout,
                             std::unique_ptr<MappedFile> file, SegmentHeader header)
    : file_system_(file_system),
      folder_(std::move(folder)),
      path_(JoinPath(folder_, SegmentFileName(header.id))),
      schema_(schema),
      layout_(layout),
      file_(std::move(file)),
      header_(std::move(header)),
      verified_(header_.sections.size()),
      columns_(layout.columns()),
      matrices_(layout.matrices().size()),
      present_bits_(layout.matrices().size()),
      ends_(header_.rows),
      vector_indexes_(schema.vectors.size()),
      keyword_indexes_(schema.fields.size()) {}

SealedSegment::~SealedSegment() {
  if (!obsolete_.load()) {
    return;
  }
  std::vector<std::string> names = {SegmentFileName(id())};
  if (deletes.file != 0) {
    names.push_back(DeletesFileName(id(), deletes.file));
  }
  for (size_t i = 0; i < schema_.vectors.size(); ++i) {
    names.push_back(VectorIndexFileName(id(), i));
  }
  for (size_t i = 0; i < schema_.fields.size(); ++i) {
    if (schema_.fields[i].type == DataType::kText) {
      names.push_back(KeywordIndexFileName(id(), i));
    }
  }
  for (const std::string& name : names) {
    const Status removed = file_system_.Remove(JoinPath(folder_, name));
    static_cast<void>(removed);  // What is left is removed at the next opening.
  }
}

/// Points columns and matrices at their sections. The checksum of the table was right, so what does
/// not fit is a program's mistake; it is refused all the same.
Status SealedSegment::Attach() {
  for (const Section& section : header_.sections) {
    TRY(AttachSection(section));
  }
  for (size_t c = 0; c < columns_.size(); ++c) {
    const bool whole = layout_.is_fixed(c)
                           ? columns_[c].values != nullptr
                           : columns_[c].offsets != nullptr && columns_[c].heap != nullptr;
    if (!whole) {
      return DataLoss("segment file " + path_ + " lacks column " + std::to_string(c));
    }
  }
  for (size_t m = 0; m < matrices_.size(); ++m) {
    if (layout_.matrices()[m].row_bytes > 0 && matrices_[m].data == nullptr) {
      return DataLoss("segment file " + path_ + " lacks the vectors of field " +
                      schema_.vectors[m].name);
    }
  }
  block_.layout = &layout_;
  block_.rows = rows();
  block_.ends = &ends_;
  block_.columns = columns_;
  block_.matrices = matrices_;
  return {};
}

Status SealedSegment::AttachSection(const Section& section) {
  const uint64_t rows = header_.rows;
  const bool of_matrix =
      section.kind == SectionKind::kMatrix || section.kind == SectionKind::kMatrixPresence;
  const bool of_column = !of_matrix && section.kind >= SectionKind::kNumbers;
  const bool inside = section.offset <= header_.file_bytes &&
                      section.length <= header_.file_bytes - section.offset &&
                      section.offset % 64 == 0;
  if (!inside || (of_column && section.index >= columns_.size()) ||
      (of_matrix && section.index >= matrices_.size())) {
    return DataLoss("segment file " + path_ + " does not fit the collection's schema");
  }
  const auto* data = file_->data().data() + section.offset;
  uint64_t expected = rows;  // bytes
  switch (section.kind) {
    case SectionKind::kBeginLsns:
      block_.begin_lsns = reinterpret_cast<const uint64_t*>(data);
      expected = rows * sizeof(uint64_t);
      break;
    case SectionKind::kNumbers:
      columns_[section.index].values = reinterpret_cast<const int64_t*>(data);
      expected = rows * sizeof(int64_t);
      break;
    case SectionKind::kOffsets:
      columns_[section.index].offsets = reinterpret_cast<const uint64_t*>(data);
      expected = (rows + 1) * sizeof(uint64_t);
      break;
    case SectionKind::kPresence:
      columns_[section.index].present = reinterpret_cast<const uint8_t*>(data);
      break;
    case SectionKind::kMatrix:
      matrices_[section.index].data = data;
      expected = rows * layout_.matrices()[section.index].stride;
      break;
    case SectionKind::kMatrixPresence:
      matrices_[section.index].present = reinterpret_cast<const uint8_t*>(data);
      break;
    case SectionKind::kHeap:
      columns_[section.index].heap = reinterpret_cast<const char*>(data);
      expected = section.length;
      break;
    case SectionKind::kSchema:
      expected = section.length;
      break;
  }
  if (section.length != expected) {
    return DataLoss("segment file " + path_ + " has a " + SectionName(schema_, section) +
                    " section of the wrong size");
  }
  return {};
}

Status SealedSegment::Verify(size_t index) {
  if (verified_[index].load(std::memory_order_acquire)) {
    return {};
  }
  const Section& section = header_.sections[index];
  if (Crc32c(BytesOf(file_->data(), section)) != section.crc) {
    return DataLoss("segment file " + path_ + " is damaged in bytes " +
                    std::to_string(section.offset) + " to " +
                    std::to_string(section.offset + section.length) + " (" +
                    SectionName(schema_, section) +
                    "): wrong checksum; restore the file from a snapshot or drop the collection");
  }
  verified_[index].store(true, std::memory_order_release);
  return {};
}

template <typename Wanted>
Status SealedSegment::VerifyWhere(Wanted wanted) {
  for (size_t i = 0; i < header_.sections.size(); ++i) {
    if (wanted(header_.sections[i])) {
      TRY(Verify(i));
    }
  }
  return {};
}

Status SealedSegment::VerifyKeys() {
  return VerifyWhere([](const Section& section) {
    return section.kind == SectionKind::kBeginLsns ||
           (section.kind >= SectionKind::kNumbers && section.kind <= SectionKind::kPresence &&
            (section.index == Layout::kTenant || section.index == Layout::kKey));
  });
}

Status SealedSegment::VerifyScalars() {
  return VerifyWhere([](const Section& section) { return section.kind < SectionKind::kMatrix; });
}

Status SealedSegment::VerifyVector(size_t vector_field) {
  if (layout_.matrices()[vector_field].row_bytes == 0) {
    return VerifyScalars();
  }
  TRY(VerifyWhere([&](const Section& section) {
    return section.kind >= SectionKind::kMatrix && section.index == vector_field;
  }));
  std::lock_guard lock(index_mutex_);
  MatrixView& matrix = matrices_[vector_field];
  std::vector<uint64_t>& bits = present_bits_[vector_field];
  if (matrix.present != nullptr && bits.empty()) {
    bits.resize((rows() + 63) / 64);
    for (uint32_t slot = 0; slot < rows(); ++slot) {
      bits[slot / 64] |= uint64_t{matrix.present[slot] != 0} << (slot % 64);
    }
    matrix.present_bits = bits;
  }
  return {};
}

Status SealedSegment::VerifyAll() {
  TRY(VerifyWhere([](const Section&) { return true; }));
  for (size_t i = 0; i < schema_.vectors.size(); ++i) {
    TRY(VerifyVector(i));
  }
  return {};
}

uint32_t SealedSegment::LowerBound(const KeyRef& key) const {
  uint32_t low = 0;
  for (uint32_t count = rows(); count > 0;) {
    const uint32_t half = count / 2;
    if (block_.Key(low + half) < key) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return low;
}

std::optional<uint32_t> SealedSegment::Find(const KeyRef& key) const {
  if (rows() == 0 || block_.Key(rows() - 1) < key) {
    return std::nullopt;
  }
  const uint32_t slot = LowerBound(key);
  return block_.Key(slot) == key ? std::optional<uint32_t>(slot) : std::nullopt;
}

std::shared_ptr<const VectorIndex> SealedSegment::vector_index(size_t vector_field) const {
  std::lock_guard lock(index_mutex_);
  return vector_indexes_[vector_field];
}

void SealedSegment::set_vector_index(size_t vector_field,
                                     std::shared_ptr<const VectorIndex> index) {
  std::lock_guard lock(index_mutex_);
  vector_indexes_[vector_field] = std::move(index);
}

Result<std::shared_ptr<const KeywordIndex>> SealedSegment::keyword_index(size_t field) {
  std::lock_guard lock(keyword_mutex_);
  if (keyword_indexes_[field] == nullptr) {
    keyword_indexes_[field] = TRY(OpenOrBuildKeywords(field));
  }
  return keyword_indexes_[field];
}

Result<std::shared_ptr<const KeywordIndex>> SealedSegment::OpenOrBuildKeywords(size_t field) {
  const std::string path = JoinPath(folder_, KeywordIndexFileName(id(), field));
  if (auto file = file_system_.Map(path); file.ok()) {
    auto index = OpenKeywordIndex(file.value()->data());
    if (index.ok()) {
      auto mapped = std::make_shared<MappedKeywordIndex>();
      mapped->file = std::move(file).value();
      mapped->index = std::move(index).value();
      return std::shared_ptr<const KeywordIndex>(mapped, mapped->index.get());
    }
    LogWarning("A keyword index file is damaged and is built again",
               {{"file", path}, {"error", index.error()}});
  }
  const Column& column = columns_[Layout::kFields + field];
  std::vector<KeywordText> texts;
  for (uint32_t slot = 0; slot < rows(); ++slot) {
    if (!column.IsNull(slot)) {
      texts.push_back({slot, column.Bytes(slot)});
    }
  }
  std::shared_ptr<SealedKeywordIndex> index = BuildKeywordIndex(texts);
  // The file only saves time at the next opening, and a damaged one is noticed.
  if (const Status saved = file_system_.WriteAtomically(path, index->Serialize()); !saved.ok()) {
    LogWarning("A keyword index file was not written", {{"file", path}, {"error", saved.error()}});
  }
  return std::shared_ptr<const KeywordIndex>(std::move(index));
}

}  // namespace roost::embedded
