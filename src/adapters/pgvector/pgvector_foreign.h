#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "net/pg_connection.h"
#include "store/fidelity.h"
#include "store/types.h"

namespace roost {

/// A column of a table that others made.
struct PgForeignColumn {
  std::string name;
  std::string type;          ///< "numeric(10,2)"
  std::string base;          ///< the type's own name, of a domain that of its base: "numeric"
  std::string base_type;     ///< the same as a cast names it, without lengths
  std::string element;       ///< of an array: its elements' own name; else empty
  std::string default_text;  ///< SQL; empty: none but an identity's number
  int32_t modifier = -1;     ///< length, precision, dimension; -1: none
  bool pseudo = false;       ///< neither a plain type nor an enum or range
  bool not_null = false;
  bool generated = false;     ///< PostgreSQL computes it: it cannot be written
  bool identity = false;      ///< numbered by PostgreSQL
  bool deterministic = true;  ///< texts that are equal have equal bytes
  bool by_bytes = false;      ///< texts are ordered by their bytes
  bool in_key = false;
  std::vector<std::string> operators;  ///< of the vector indexes over it: "vector_cosine_ops"
  bool hnsw = false;                   ///< one of them is an HNSW index

  bool filled() const { return generated || identity || !default_text.empty(); }
  /// New rows of the application get their key from a counter, which does not see ours.
  bool counted() const { return identity || default_text.starts_with("nextval("); }
};

/// A table that others made, as the server's catalogue has it.
struct PgForeignTable {
  std::string schema;
  std::string name;
  std::string kind;  ///< pg_class.relkind
  bool readable = true;
  bool has_children = false;  ///< other tables inherit from it
  bool deferrable_key = false;
  std::vector<PgForeignColumn> columns;

  std::string plain() const { return schema + "." + name; }
  std::string quoted() const { return PgQuoteName(schema) + "." + PgQuoteName(name); }
  const PgForeignColumn* Find(const std::string& column) const;
};

/// kNotFound where there is none.
Result<PgForeignTable> LookAtPgTable(const RequestContext& context, PgConnection& connection,
                                     const std::string& schema, const std::string& name);
/// Why it cannot be adopted and what to do; empty where it can.
std::string WhyNotAdoptable(const PgForeignTable& table);

/// How one column is read and written.
struct PgReading {
  Fidelity fidelity = Fidelity::kExact;
  std::string remark;
  std::optional<FieldSchema> field;
  std::optional<VectorFieldSchema> vector;
  bool raw_json = false;
  std::string read;   ///< SQL over the column `f."name"`
  std::string write;  ///< SQL over the value `r."field"`; empty: it is never written
  /// SQL: the column holds a value that is not read as it is, and what is said of these.
  std::vector<std::pair<std::string, std::string>> doubts;
};
/// How the column is read as the field or vector called `name`. Neither where it cannot be.
PgReading ReadingOf(const PgForeignColumn& column, const std::string& name);

/// The type of the collection's key; nothing where the column can be none.
std::optional<KeyType> KeyTypeOf(const PgForeignColumn& column);
/// A name of the collection's: letters, digits and "_", none of `taken`.
std::string RoostName(const std::string& name, const std::vector<std::string>& taken);

}  // namespace roost
