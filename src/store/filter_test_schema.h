#pragma once

#include <string>
#include <string_view>

#include "store/filter.h"
#include "store/types.h"

namespace roost {

/// A field of every type, tenants, dynamic fields.
inline CollectionSchema FilterTestSchema() {
  CollectionSchema schema;
  schema.name = "books";
  schema.key_type = KeyType::kInt64;
  schema.tenant_field = "shop";
  schema.dynamic = true;
  schema.fields = {{.name = "b", .type = DataType::kBool},
                   {.name = "i8", .type = DataType::kInt8},
                   {.name = "n", .type = DataType::kInt64},
                   {.name = "m", .type = DataType::kInt64},
                   {.name = "f", .type = DataType::kFloat},
                   {.name = "d", .type = DataType::kDouble},
                   {.name = "s", .type = DataType::kVarChar},
                   {.name = "t", .type = DataType::kText},
                   {.name = "j", .type = DataType::kJson},
                   {.name = "ts", .type = DataType::kTimestamp},
                   {.name = "u", .type = DataType::kUuid},
                   {.name = "ints", .type = DataType::kArray, .element_type = DataType::kInt32},
                   {.name = "floats", .type = DataType::kArray, .element_type = DataType::kFloat},
                   {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar},
                   {.name = "like", .type = DataType::kInt64}};
  schema.vectors = {{.name = "v", .dimension = 4}};
  return schema;
}

}  // namespace roost
