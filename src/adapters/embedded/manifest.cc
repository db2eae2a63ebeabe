#include "adapters/embedded/manifest.h"

#include <utility>

#include "adapters/embedded/codec.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/hash.h"

namespace roost::embedded {

namespace {

constexpr std::string_view kManifestMagic = "ROOSTMAN";
constexpr std::string_view kDeletesMagic = "ROOSTDEL";
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumBytes = 4;
constexpr size_t kEntryBytes = 12;

/// Checks magic, checksum and version and returns what stands between them.
Result<std::string_view> Unwrap(std::string_view data, std::string_view magic,
                                const std::string& path) {
  const size_t prefix = magic.size() + sizeof(uint32_t);
  if (data.size() < prefix + kChecksumBytes || !data.starts_with(magic) ||
      LoadU32(data.data() + data.size() - kChecksumBytes) !=
          Crc32c(data.substr(0, data.size() - kChecksumBytes))) {
    return DataLoss("file " + path + " is damaged: bytes 0 to " + std::to_string(data.size()) +
                    " have a wrong checksum; restore the folder from a snapshot");
  }
  const uint32_t version = LoadU32(data.data() + magic.size());
  if (version != kVersion) {
    return FailedPrecondition("file " + path + " has format version " + std::to_string(version) +
                              "; this program reads " + std::to_string(kVersion) +
                              "; use the newer program");
  }
  return data.substr(prefix, data.size() - prefix - kChecksumBytes);
}

Result<Manifest::Collection> DecodeCollection(ByteReader& reader) {
  Manifest::Collection collection;
  collection.schema = TRY(DecodeSchema(reader));
  collection.flushed_lsn = TRY(reader.GetU64());
  for (uint64_t left = TRY(reader.GetVarint()); left > 0; --left) {
    Manifest::Segment segment;
    segment.id = TRY(reader.GetU64());
    segment.deletes_file = TRY(reader.GetU64());
    collection.segments.push_back(segment);
  }
  return collection;
}

Result<Manifest> DecodeContent(std::string_view content) {
  ByteReader reader(content);
  Manifest manifest;
  manifest.store_id = TRY(reader.GetU64());
  manifest.next_id = TRY(reader.GetU64());
  manifest.covered_lsn = TRY(reader.GetU64());
  manifest.first_wal = TRY(reader.GetU64());
  for (uint64_t left = TRY(reader.GetVarint()); left > 0; --left) {
    const uint32_t id = TRY(reader.GetU32());
    auto collection = TRY(DecodeCollection(reader));
    manifest.collections.emplace(id, std::move(collection));
  }
  if (!reader.AtEnd()) {
    return DataLoss("it is longer than it says");
  }
  return manifest;
}

}  // namespace

std::string EncodeManifest(const Manifest& manifest) {
  std::string out(kManifestMagic);
  PutU32(out, kVersion);
  PutU64(out, manifest.store_id);
  PutU64(out, manifest.next_id);
  PutU64(out, manifest.covered_lsn);
  PutU64(out, manifest.first_wal);
  PutVarint(out, manifest.collections.size());
  for (const auto& [id, collection] : manifest.collections) {
    PutU32(out, id);
    EncodeSchema(collection.schema, out);
    PutU64(out, collection.flushed_lsn);
    PutVarint(out, collection.segments.size());
    for (const Manifest::Segment& segment : collection.segments) {
      PutU64(out, segment.id);
      PutU64(out, segment.deletes_file);
    }
  }
  PutU32(out, Crc32c(out));
  return out;
}

Result<Manifest> DecodeManifest(std::string_view data, const std::string& path) {
  const std::string_view content = TRY(Unwrap(data, kManifestMagic, path));
  auto manifest = DecodeContent(content);
  if (!manifest.ok()) {
    return manifest.error().Within("file " + path);
  }
  return manifest;
}

Result<Manifest> ReadManifest(FileSystem& file_system, const std::string& folder) {
  const std::string path = JoinPath(folder, kManifestFile);
  const std::string data = TRY(file_system.ReadAll(path));
  return DecodeManifest(data, path);
}

Status WriteManifest(FileSystem& file_system, const std::string& folder, const Manifest& manifest) {
  FAILPOINT_ERROR("embedded.manifest.before_write");
  TRY(file_system.WriteAtomically(JoinPath(folder, kManifestFile), EncodeManifest(manifest)));
  FAILPOINT("embedded.manifest.after_write");
  return {};
}

Status WriteDeletes(FileSystem& file_system, const std::string& path, uint64_t segment,
                    const std::vector<EndLsns::Entry>& entries) {
  std::string out(kDeletesMagic);
  PutU32(out, kVersion);
  PutU64(out, segment);
  for (const EndLsns::Entry& entry : entries) {
    PutU32(out, entry.slot);
    PutU64(out, entry.lsn);
  }
  PutU32(out, Crc32c(out));
  FAILPOINT("embedded.deletes.before_write");
  return file_system.WriteAtomically(path, out);
}

Status ReadDeletes(FileSystem& file_system, const std::string& path, uint64_t segment,
                   uint32_t rows, EndLsns& ends) {
  const auto data = file_system.ReadAll(path, uint64_t{1} << 40);
  if (!data.ok()) {
    return data.code() == Code::kNotFound
               ? DataLoss("file " + path +
                          " is missing; restore it from a snapshot or drop the collection")
               : data.error();
  }
  const std::string_view content = TRY(Unwrap(data.value(), kDeletesMagic, path));
  ByteReader reader(content);
  const uint64_t owner = TRY(reader.GetU64());
  if (owner != segment || reader.remaining() % kEntryBytes != 0) {
    return DataLoss("file " + path + " does not belong to segment " + std::to_string(segment) +
                    "; restore the folder from a snapshot");
  }
  while (!reader.AtEnd()) {
    const uint32_t slot = TRY(reader.GetU32());
    const uint64_t lsn = TRY(reader.GetU64());
    if (slot >= rows) {
      return DataLoss("file " + path + " names row " + std::to_string(slot) + " of " +
                      std::to_string(rows) + "; restore the folder from a snapshot");
    }
    ends.Set(slot, lsn);
  }
  return {};
}

}  // namespace roost::embedded
