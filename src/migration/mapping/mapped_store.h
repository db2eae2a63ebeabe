#pragma once

#include <memory>
#include <string>

#include "migration/mapping/mapping_table.h"
#include "store/vector_store.h"

namespace roost {

/// The store `name` with every collection as its users see it, whatever mapping it is kept by.
/// `inner` and `table` outlive it. Thread safe.
std::unique_ptr<VectorStore> MakeMappedStore(std::string name, VectorStore& inner,
                                             MappingTable& table);

}  // namespace roost
