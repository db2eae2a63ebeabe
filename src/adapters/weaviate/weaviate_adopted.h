#pragma once

// Classes that others made, as collections.

#include <string>
#include <string_view>
#include <vector>

#include "adapters/weaviate/weaviate_table.h"
#include "base/result.h"
#include "store/adoption.h"

namespace roost {

/// A vector of a class that others made.
struct WeaviateForeignVector {
  std::string name;  ///< empty: the one vector of a class without named ones
  Metric metric = Metric::kCosine;
  bool known_metric = true;
  bool flat = false;
  std::string vectorizer;  ///< "none", or the module that makes it
};
struct WeaviateForeignProperty {
  std::string name;
  std::string type;  ///< "text[]"
};
struct WeaviateForeignClass {
  std::string name;
  bool tenants = false;
  std::vector<WeaviateForeignProperty> properties;
  std::vector<WeaviateForeignVector> vectors;
};

/// From GET /v1/schema/{class}. kInternal for what is none.
Result<WeaviateForeignClass> ForeignClass(std::string_view class_json);
/// Of GET /v1/schema: the classes that Roost did not make, by name.
Result<std::vector<WeaviateForeignClass>> ForeignClasses(std::string_view schema_json);
/// For each class that is adopted: its name and the collection's.
Result<std::vector<std::pair<std::string, std::string>>> AdoptedClasses(
    std::string_view schema_json);

/// Why it cannot be adopted, as far as its schema tells; empty where it can.
std::string WhyNotAdoptable(const WeaviateForeignClass& found);
struct WeaviateAdoption {
  AdoptionPlan plan;
  WeaviateTable table;
};
/// `dimensions`: of each vector; 0 where no object has it, which is then not read.
WeaviateAdoption PlanWeaviateAdoption(const WeaviateForeignClass& found, const AdoptionQuery& query,
                                      const std::vector<uint32_t>& dimensions);

}  // namespace roost
