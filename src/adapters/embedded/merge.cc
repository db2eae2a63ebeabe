#include "adapters/embedded/merge.h"

#include <algorithm>
#include <map>
#include <utility>

#include "adapters/embedded/flush.h"
#include "adapters/embedded/structure.h"
#include "base/failpoint.h"
#include "base/log.h"

namespace roost::embedded {

namespace {

constexpr uint32_t kDeadShare = 5;  // A segment with one dead row in so many is written anew.

/// Segments of one tier are within a factor of `fan_in` of each other in size.
uint32_t TierOf(uint32_t rows, uint32_t fan_in) {
  uint32_t tier = 0;
  for (; rows >= fan_in; rows /= fan_in) {
    ++tier;
  }
  return tier;
}

/// The smallest segments that fit into one, two at least.
SealedList SmallestThatFit(SealedList segments, uint32_t max_rows) {
  std::sort(segments.begin(), segments.end(),
            [](const auto& a, const auto& b) { return a->live_rows() < b->live_rows(); });
  uint64_t rows = 0;
  size_t count = 0;
  while (count < segments.size() && rows + segments[count]->live_rows() <= max_rows) {
    rows += segments[count++]->live_rows();
  }
  segments.resize(count < 2 ? 0 : count);
  return segments;
}

/// A graph together with the file it reads from.
struct MappedGraph {
  std::unique_ptr<MappedFile> file;
  std::unique_ptr<VectorIndex> index;
};

Result<std::shared_ptr<const VectorIndex>> OpenGraph(Core& core, const VectorColumn& column,
                                                     const std::string& path) {
  auto graph = std::make_shared<MappedGraph>();
  graph->file = TRY(core.file_system.Map(path));
  graph->index = TRY(OpenHnsw(column, graph->file->data()));
  return std::shared_ptr<const VectorIndex>(graph, graph->index.get());
}

Result<std::shared_ptr<const VectorIndex>> BuildGraph(Core& core, const VectorColumn& column,
                                                      const VectorFieldSchema& field,
                                                      const std::string& path,
                                                      std::stop_token stop) {
  std::shared_ptr<VectorIndex> built = TRY(BuildHnsw(column,
                                                     {.m = field.hnsw_m,
                                                      .ef_construction = field.hnsw_ef_construction,
                                                      .threads = core.options.build_threads},
                                                     std::move(stop)));
  FAILPOINT("embedded.index.before_write");
  if (const Status saved = core.file_system.WriteAtomically(path, built->Serialize());
      !saved.ok()) {
    LogWarning("A graph was not written; it is built again at the next opening",
               {{"file", path}, {"error", saved.error()}});
    return std::shared_ptr<const VectorIndex>(built);
  }
  // From the file it takes page cache instead of memory.
  auto mapped = OpenGraph(core, column, path);
  return mapped.ok() ? std::move(mapped).value() : std::shared_ptr<const VectorIndex>(built);
}

Status PrepareGraph(Core& core, SealedSegment& segment, const CollectionSchema& schema,
                    size_t field, std::stop_token stop) {
  TRY(segment.VerifyVector(field));
  const VectorColumn column = segment.block().AsVectorColumn(schema, field);
  const std::string path = core.PathOf(VectorIndexFileName(segment.id(), field));
  auto graph = OpenGraph(core, column, path);
  if (!graph.ok()) {
    if (graph.code() != Code::kNotFound) {
      LogWarning("A graph file is damaged and is built again",
                 {{"file", path}, {"error", graph.error()}});
    }
    graph = BuildGraph(core, column, schema.vectors[field], path, std::move(stop));
  }
  if (!graph.ok()) {
    return graph.error();
  }
  segment.set_vector_index(field, std::move(graph).value());
  return {};
}

std::vector<RowBlock> BlocksOfSegments(const SealedList& segments) {
  std::vector<RowBlock> blocks;
  for (const auto& segment : segments) {
    blocks.push_back(segment->block());
  }
  return blocks;
}

SealedList WithoutSources(const SealedList& all, const SealedList& sources) {
  SealedList rest;
  for (const auto& segment : all) {
    if (std::find(sources.begin(), sources.end(), segment) == sources.end()) {
      rest.push_back(segment);
    }
  }
  return rest;
}

void InstallMerge(Core& core, Collection& collection, const SealedList& sources,
                  const std::vector<RowBlock>& blocks, std::shared_ptr<SealedSegment> merged) {
  std::lock_guard lock(core.write_mutex);
  const auto version = core.catalog.VersionOf(collection);
  auto next = std::make_shared<Version>(*version);
  next->sealed = WithoutSources(version->sealed, sources);
  if (merged != nullptr) {
    CarryEnds(blocks, *merged);
    next->sealed.insert(next->sealed.begin(), std::move(merged));
  }
  core.catalog.SetVersion(collection, std::move(next));
  for (const auto& source : sources) {
    source->MarkObsolete();
  }
}

}  // namespace

SealedList ChooseMerge(const EmbeddedOptions& options, const Version& version, bool idle) {
  const uint32_t fan_in = std::max(2u, options.merge_fan_in);
  std::map<uint32_t, SealedList> tiers;
  for (const auto& segment : version.sealed) {
    if (uint64_t{segment->ends().count()} * kDeadShare > segment->rows()) {
      return {segment};
    }
    tiers[TierOf(segment->live_rows(), fan_in)].push_back(segment);
  }
  for (const auto& [tier, segments] : tiers) {
    if (segments.size() >= fan_in) {
      if (auto chosen = SmallestThatFit(segments, options.max_merged_rows); !chosen.empty()) {
        return chosen;
      }
    }
  }
  return idle ? SmallestThatFit(version.sealed, options.max_merged_rows) : SealedList();
}

Status PrepareIndexes(Core& core, SealedSegment& segment, const CollectionSchema& schema,
                      std::stop_token stop) {
  for (size_t i = 0; i < schema.vectors.size(); ++i) {
    const VectorFieldSchema& field = schema.vectors[i];
    if (field.type == DataType::kSparseVector || field.index == "FLAT" ||
        segment.rows() < core.options.min_graph_rows || segment.vector_index(i) != nullptr) {
      continue;
    }
    Status prepared = PrepareGraph(core, segment, schema, i, stop);
    if (!prepared.ok()) {
      if (prepared.code() == Code::kCancelled || prepared.code() == Code::kDataLoss) {
        return prepared;
      }
      LogWarning("A graph cannot be built; the segment is scanned",
                 {{"segment", segment.id()}, {"field", field.name}, {"error", prepared.error()}});
    }
  }
  segment.index_done.store(true);
  return {};
}

Status MergeSegments(Core& core, const std::shared_ptr<Collection>& collection,
                     const SealedList& sources, std::stop_token stop) {
  for (const auto& source : sources) {
    TRY(collection->Watch(source->VerifyAll()));
  }
  const uint64_t durable = TRY(core.SyncLog());
  const std::vector<RowBlock> blocks = BlocksOfSegments(sources);
  auto merged = TRY(WriteSegment(core, *collection, blocks, durable, stop));
  if (merged != nullptr) {
    TRY(PrepareIndexes(core, *merged, collection->schema, std::move(stop)));
  }
  FAILPOINT("embedded.merge.before_publish");

  std::lock_guard structure(core.structure_mutex);
  const auto version = core.catalog.VersionOf(*collection);
  const bool gone = std::any_of(sources.begin(), sources.end(), [&](const auto& source) {
    return std::find(version->sealed.begin(), version->sealed.end(), source) ==
           version->sealed.end();
  });
  if (gone) {
    return {};  // Dropped meanwhile; the file goes with `merged`.
  }
  CollectionChange change{.collection = collection,
                          .sealed = WithoutSources(version->sealed, sources),
                          .flushed_lsn = core.manifest.collections.at(collection->id).flushed_lsn};
  if (merged != nullptr) {
    CarryEnds(blocks, *merged);
    change.sealed.insert(change.sealed.begin(), merged);
  }
  Status published = PublishCollection(core, change);
  if (merged != nullptr && (published.ok() || core.failure.is_set())) {
    merged->KeepFiles();
  }
  TRY(std::move(published));
  FAILPOINT("embedded.merge.after_publish");
  InstallMerge(core, *collection, sources, blocks, std::move(merged));
  return {};
}

}  // namespace roost::embedded
