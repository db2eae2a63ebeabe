#pragma once

#include <span>
#include <string_view>

namespace roost {

/// One numbered file of schema/, as it was when the program was built.
struct SchemaFile {
  std::string_view name;  ///< "0001_init.sql"
  std::string_view sql;
};

/// By rising number, without gaps from 1. Version n of the schema is the first n files applied.
std::span<const SchemaFile> SchemaFiles();

}  // namespace roost
