#include "adapters/embedded/segment_file.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "adapters/embedded/codec.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/hash.h"

namespace roost::embedded {

namespace {

constexpr std::string_view kMagic = "ROOSTSEG";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 64;
constexpr size_t kTableEntryBytes = 32;
constexpr size_t kBufferBytes = 1u << 20;
constexpr size_t kSectionAlignment = 64;

/// Writes sections through a buffer and remembers where they stand.
class SectionWriter {
 public:
  SectionWriter(File& file, std::stop_token stop) : file_(file), stop_(std::move(stop)) {
    buffer_.assign(kHeaderBytes, '\0');  // The header comes last: a file without one is no segment.
  }

  void Begin(SectionKind kind, size_t index) {
    Pad();
    sections_.push_back(
        {.kind = kind, .index = static_cast<uint32_t>(index), .offset = flushed_ + buffer_.size()});
    start_ = buffer_.size();
  }
  Status Put(const void* data, size_t size) {
    buffer_.append(static_cast<const char*>(data), size);
    return buffer_.size() >= kBufferBytes ? Flush() : Status();
  }
  template <typename Number>
  Status Put(Number number) {
    return Put(&number, sizeof(number));
  }
  void End() {
    Count();
    sections_.back().length = flushed_ + buffer_.size() - sections_.back().offset;
  }
  /// Writes what is left and the table; the offset and checksum of the table go to the header.
  Result<std::string> Finish(uint64_t& table_offset) {
    Pad();
    table_offset = flushed_ + buffer_.size();
    std::string table;
    for (const Section& section : sections_) {
      PutU32(table, static_cast<uint32_t>(section.kind));
      PutU32(table, section.index);
      PutU64(table, section.offset);
      PutU64(table, section.length);
      PutU32(table, section.crc);
      PutU32(table, 0);
    }
    start_ = buffer_.size();
    buffer_ += table;
    open_ = false;
    TRY(Flush());
    return table;
  }
  uint64_t size() const { return flushed_ + buffer_.size(); }
  const std::vector<Section>& sections() const { return sections_; }

 private:
  /// Adds what the section has put into the buffer since the last call to its checksum.
  void Count() {
    if (open_ && !sections_.empty()) {
      sections_.back().crc = Crc32c(std::string_view(buffer_).substr(start_), sections_.back().crc);
    }
    start_ = buffer_.size();
  }
  Status Flush() {
    if (stop_.stop_requested()) {
      return Cancelled("writing of a segment file was stopped");
    }
    Count();
    TRY(file_.Append(std::as_bytes(std::span(buffer_))));
    FAILPOINT("embedded.segment.after_append");
    flushed_ += buffer_.size();
    buffer_.clear();
    start_ = 0;
    return {};
  }
  void Pad() {
    const size_t past = (flushed_ + buffer_.size()) % kSectionAlignment;
    buffer_.append(past == 0 ? 0 : kSectionAlignment - past, '\0');
  }

  File& file_;
  const std::stop_token stop_;
  std::string buffer_;
  uint64_t flushed_ = 0;
  size_t start_ = 0;  // of what is not in the checksum yet
  bool open_ = true;
  std::vector<Section> sections_;
};

Status WritePresence(SectionWriter& out, const SegmentSource& source, SectionKind kind,
                     size_t index, const std::vector<const uint8_t*>& present) {
  const bool any_null = std::any_of(source.rows.begin(), source.rows.end(), [&](RowRef row) {
    return present[row.block] != nullptr && present[row.block][row.slot] == 0;
  });
  if (!any_null) {
    return {};
  }
  out.Begin(kind, index);
  for (const RowRef row : source.rows) {
    const uint8_t* bytes = present[row.block];
    TRY(out.Put<uint8_t>(bytes == nullptr ? 1 : bytes[row.slot]));
  }
  out.End();
  return {};
}

Status WriteColumn(SectionWriter& out, const SegmentSource& source, size_t index) {
  if (source.layout.is_fixed(index)) {
    out.Begin(SectionKind::kNumbers, index);
    for (const RowRef row : source.rows) {
      TRY(out.Put<int64_t>(source.blocks[row.block].columns[index].values[row.slot]));
    }
    out.End();
  } else {
    out.Begin(SectionKind::kOffsets, index);
    uint64_t offset = 0;
    TRY(out.Put(offset));
    for (const RowRef row : source.rows) {
      offset += source.blocks[row.block].columns[index].Bytes(row.slot).size();
      TRY(out.Put(offset));
    }
    out.End();
    out.Begin(SectionKind::kHeap, index);
    for (const RowRef row : source.rows) {
      const std::string_view bytes = source.blocks[row.block].columns[index].Bytes(row.slot);
      TRY(out.Put(bytes.data(), bytes.size()));
    }
    out.End();
  }
  std::vector<const uint8_t*> present;
  for (const RowBlock& block : source.blocks) {
    present.push_back(block.columns[index].present);
  }
  return WritePresence(out, source, SectionKind::kPresence, index, present);
}

Status WriteMatrix(SectionWriter& out, const SegmentSource& source, size_t index) {
  const Layout::Matrix& matrix = source.layout.matrices()[index];
  if (matrix.row_bytes == 0) {
    return {};  // Sparse vectors stand in a column.
  }
  out.Begin(SectionKind::kMatrix, index);
  std::vector<const uint8_t*> present;
  for (const RowRef row : source.rows) {
    TRY(out.Put(source.blocks[row.block].matrices[index].data + row.slot * matrix.stride,
                matrix.stride));
  }
  out.End();
  for (const RowBlock& block : source.blocks) {
    present.push_back(block.matrices[index].present);
  }
  return WritePresence(out, source, SectionKind::kMatrixPresence, index, present);
}

Status WriteSections(SectionWriter& out, const SegmentSource& source) {
  std::string schema;
  EncodeSchema(source.schema, schema);
  out.Begin(SectionKind::kSchema, 0);
  TRY(out.Put(schema.data(), schema.size()));
  out.End();
  out.Begin(SectionKind::kBeginLsns, 0);
  for (const RowRef row : source.rows) {
    TRY(out.Put<uint64_t>(source.blocks[row.block].begin_lsns[row.slot]));
  }
  out.End();
  for (size_t column = 0; column < source.layout.columns(); ++column) {
    TRY(WriteColumn(out, source, column));
  }
  for (size_t matrix = 0; matrix < source.layout.matrices().size(); ++matrix) {
    TRY(WriteMatrix(out, source, matrix));
  }
  return {};
}

std::string EncodeHeader(const SegmentHeader& header, uint64_t table_offset, uint32_t table_crc) {
  std::string bytes(kMagic);
  PutU32(bytes, kVersion);
  PutU32(bytes, static_cast<uint32_t>(header.sections.size()));
  PutU64(bytes, header.id);
  PutU32(bytes, header.collection);
  PutU32(bytes, header.rows);
  PutU64(bytes, header.last_lsn);
  PutU64(bytes, header.file_bytes);
  PutU64(bytes, table_offset);
  PutU32(bytes, table_crc);
  PutU32(bytes, Crc32c(bytes));
  CHECK(bytes.size() == kHeaderBytes);
  return bytes;
}

Result<SegmentHeader> WriteTo(File& file, const SegmentSource& source, std::stop_token stop) {
  SectionWriter out(file, std::move(stop));
  TRY(WriteSections(out, source));
  uint64_t table_offset = 0;
  const std::string table = TRY(out.Finish(table_offset));
  SegmentHeader header{.id = source.id,
                       .collection = source.collection,
                       .rows = static_cast<uint32_t>(source.rows.size()),
                       .file_bytes = out.size(),
                       .sections = out.sections()};
  for (const RowRef row : source.rows) {
    header.last_lsn = std::max(header.last_lsn, source.blocks[row.block].begin_lsns[row.slot]);
  }
  const std::string bytes = EncodeHeader(header, table_offset, Crc32c(table));
  TRY(file.WriteAt(0, std::as_bytes(std::span(bytes))));
  FAILPOINT("embedded.segment.before_sync");
  TRY(file.Sync());
  return header;
}

Error Damaged(const std::string& path, uint64_t offset, const std::string& what) {
  return DataLoss("segment file " + path + " is damaged at byte " + std::to_string(offset) + ": " +
                  what + "; restore the file from a snapshot or drop the collection");
}

}  // namespace

std::vector<RowRef> LiveRowsByKey(std::span<const RowBlock> blocks, uint64_t lsn) {
  std::vector<RowRef> rows;
  for (uint32_t b = 0; b < blocks.size(); ++b) {
    for (uint32_t slot = 0; slot < blocks[b].rows; ++slot) {
      if (blocks[b].ends->LiveAt(slot, lsn)) {
        rows.push_back({b, slot});
      }
    }
  }
  const auto less = [&](RowRef a, RowRef b) {
    return blocks[a.block].Key(a.slot) < blocks[b.block].Key(b.slot);
  };
  std::sort(rows.begin(), rows.end(), less);
  return rows;
}

Result<SegmentHeader> WriteSegmentFile(FileSystem& file_system, const std::string& path,
                                       const SegmentSource& source, std::stop_token stop) {
  auto file = TRY(file_system.Open(path, OpenMode::kCreate));
  auto header = WriteTo(*file, source, std::move(stop));
  if (!header.ok()) {
    file.reset();
    const Status removed = file_system.Remove(path);  // A leftover is removed at the next opening.
    static_cast<void>(removed);
  }
  return header;
}

Result<SegmentHeader> ReadSegmentHeader(std::span<const std::byte> file, const std::string& path) {
  const std::string_view data(reinterpret_cast<const char*>(file.data()), file.size());
  if (data.size() < kHeaderBytes) {
    return Damaged(path, data.size(), "it ends inside its header");
  }
  ByteReader reader(data.substr(0, kHeaderBytes));
  const std::string_view magic = TRY(reader.GetRaw(kMagic.size()));
  const uint32_t version = TRY(reader.GetU32());
  const bool intact =
      LoadU32(data.data() + kHeaderBytes - 4) == Crc32c(data.substr(0, kHeaderBytes - 4));
  if (magic != kMagic || !intact) {
    return Damaged(path, 0, "the header's checksum is wrong");
  }
  if (version != kVersion) {
    return FailedPrecondition("segment file " + path + " has format version " +
                              std::to_string(version) + "; this program reads " +
                              std::to_string(kVersion) + "; use the newer program");
  }
  SegmentHeader header;
  const uint32_t count = TRY(reader.GetU32());
  header.id = TRY(reader.GetU64());
  header.collection = TRY(reader.GetU32());
  header.rows = TRY(reader.GetU32());
  header.last_lsn = TRY(reader.GetU64());
  header.file_bytes = TRY(reader.GetU64());
  const uint64_t table_offset = TRY(reader.GetU64());
  const uint32_t table_crc = TRY(reader.GetU32());
  if (header.file_bytes != data.size()) {
    return Damaged(path, std::min<uint64_t>(header.file_bytes, data.size()),
                   "it has " + std::to_string(data.size()) + " bytes instead of " +
                       std::to_string(header.file_bytes));
  }
  const std::string_view table = data.substr(std::min<uint64_t>(table_offset, data.size()));
  if (table.size() != count * kTableEntryBytes || Crc32c(table) != table_crc) {
    return Damaged(path, table_offset, "the table of sections has a wrong checksum");
  }
  ByteReader entries(table);
  for (uint32_t i = 0; i < count; ++i) {
    Section section;
    section.kind = static_cast<SectionKind>(TRY(entries.GetU32()));
    section.index = TRY(entries.GetU32());
    section.offset = TRY(entries.GetU64());
    section.length = TRY(entries.GetU64());
    section.crc = TRY(entries.GetU32());
    TRY(entries.GetU32());
    header.sections.push_back(section);
  }
  return header;
}

std::string SectionName(const CollectionSchema& schema, const Section& section) {
  static constexpr std::string_view kKinds[] = {"unknown part", "schema",  "LSNs",
                                                "numbers",      "offsets", "texts",
                                                "nulls",        "vectors", "nulls of vectors"};
  const auto kind = static_cast<size_t>(section.kind);
  const std::string name(kKinds[kind < std::size(kKinds) ? kind : 0]);
  if (section.kind == SectionKind::kMatrix || section.kind == SectionKind::kMatrixPresence) {
    return section.index < schema.vectors.size()
               ? name + " of field " + schema.vectors[section.index].name
               : name;
  }
  const size_t fields = Layout::kFields;
  if (section.index >= fields && section.index < fields + schema.fields.size()) {
    return name + " of field " + schema.fields[section.index - fields].name;
  }
  return section.kind <= SectionKind::kBeginLsns
             ? name
             : name + " of column " + std::to_string(section.index);
}

}  // namespace roost::embedded
