#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

#include "adapters/embedded/index/hnsw_file.h"
#include "adapters/embedded/index/vector_index.h"

namespace roost::embedded {

/// The vectors of a column as the nodes of a graph: equal vectors share one node, because a node
/// whose nearest neighbours are all copies of itself would have no links to anywhere else.
struct NodeList {
  std::vector<uint32_t> slots;  ///< of each node, with kHasTwins; rising
  std::vector<Twin> twins;      ///< rising by (node, slot)
};
NodeList ListNodes(const VectorColumn& column);

/// Builds the bytes of a graph, checksum included. kCancelled when `stop` is requested.
Result<std::unique_ptr<GraphMemory>> BuildGraph(const VectorColumn& column,
                                                const IndexParameters& parameters,
                                                std::stop_token stop,
                                                const std::function<void(uint32_t)>& progress);

/// How many nodes cannot be reached from the entry along the links of the ground layer.
uint32_t CountUnreachable(const HnswView& view);

}  // namespace roost::embedded
