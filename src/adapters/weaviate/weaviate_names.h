#pragma once

// Names and identities that Weaviate can take. All of this is a file format: it never changes.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/types.h"

namespace roost {

/// The UUID of an object, ordered as Weaviate orders objects: by bytes.
///
/// Objects are read in the order of their UUIDs (a cursor is the only gap-free way to read them
/// all), and Scan promises the order of keys. So the UUID keeps the key's order: it is a version 8
/// UUID (RFC 9562, "custom") of 122 bits. An INT64 key is in it whole. Of a VARCHAR key the first
/// 60 bits are an order-preserving code of how the key begins (10 characters or so), the other 62
/// come from its SHA-256. Keys that begin alike differ in these only: they are a *group*, and a
/// scan sorts a group by itself.
struct ObjectId {
  uint64_t high = 0;
  uint64_t low = 0;

  auto operator<=>(const ObjectId&) const = default;
  /// 36 characters, lower case.
  std::string ToString() const;
  /// The one before. Precondition: not the lowest of all.
  ObjectId Before() const { return {low == 0 ? high - 1 : high, low - 1}; }
  /// Of a few hundred parts of equal size, for searching a large collection in pieces.
  int64_t Bucket() const;
};
inline constexpr int64_t kObjectBuckets = 1'024;
inline constexpr ObjectId kFirstObjectId{0, 0};
inline constexpr ObjectId kLastObjectId{~uint64_t{0}, ~uint64_t{0}};

/// Nothing for text that is not a UUID.
std::optional<ObjectId> ParseObjectId(std::string_view text);
/// The object that holds the key's record.
ObjectId ObjectIdOf(const Key& key);
/// First and last of all UUIDs whose keys could order like this one: the group of a VARCHAR key,
/// the UUID itself of an INT64 key.
std::pair<ObjectId, ObjectId> GroupOf(const Key& key);
/// First and last UUID of keys that begin with these bytes.
std::pair<ObjectId, ObjectId> PrefixRange(std::string_view prefix);
/// True when `id` belongs to the same group of VARCHAR keys as `other`.
inline bool SameGroup(const ObjectId& id, const ObjectId& other) { return id.high == other.high; }

/// The class of a collection: "Roost_books_" and 16 hex digits, so that names that differ in case
/// only, or hold a dot, have classes of their own.
std::string ClassNameOf(std::string_view collection);

/// Properties for the fields, in order: a field's own name where Weaviate takes it as it is (it
/// turns the first letter to lower case, and holds "Ab" and "aB" to be one), else "_f3". The same
/// for vectors with "_v3".
std::vector<std::string> PropertyNames(const std::vector<FieldSchema>& fields);
std::vector<std::string> VectorNames(const std::vector<VectorFieldSchema>& vectors);

/// A tenant's name in Weaviate, which takes 1 to 64 of [A-Za-z0-9_-]: other bytes, and "_", are
/// "_" and two hex digits. A name that gets too long is "_h" and 40 hex digits of its SHA-256.
std::string TenantNameOf(std::string_view tenant);
/// The tenant's own name; nothing where only the hash is known, or the name is not one of ours.
std::optional<std::string> TenantFromName(std::string_view name);

}  // namespace roost
