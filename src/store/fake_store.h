#pragma once

#include <memory>

#include "store/vector_store.h"

namespace roost {

/// A store in memory that does everything by the reference meaning: brute force, the reference
/// filter evaluator, one mutex. The oracle for other stores' tests and the store of simulations.
std::unique_ptr<VectorStore> MakeFakeStore(Capabilities capabilities);
/// With every capability.
std::unique_ptr<VectorStore> MakeFakeStore();

}  // namespace roost
