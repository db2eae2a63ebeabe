#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"

namespace roost {

/// The fields that every collection of records has beside the properties of its kinds. Their names
/// are no properties' names.
namespace record_field {
inline constexpr std::string_view kUniqueId = "uniqueid";       ///< the key
inline constexpr std::string_view kTenant = "tenantName";       ///< the tenant field
inline constexpr std::string_view kVector = "vector";           ///< FLOAT_VECTOR; may be null
inline constexpr std::string_view kType = "record_type";        ///< name of the kind
inline constexpr std::string_view kCreated = "created_at";      ///< TIMESTAMP
inline constexpr std::string_view kModified = "last_modified";  ///< TIMESTAMP
/// The last change by another device than last_update_device_id, where that device's last write was
/// a merge and so did not replace what the other one wrote.
inline constexpr std::string_view kOtherModified = "other_modified";
inline constexpr std::string_view kDevice = "last_update_device";
inline constexpr std::string_view kDeviceId = "last_update_device_id";
inline constexpr std::string_view kJob = "long_job_id";
inline constexpr std::string_view kDeleted = "deleted";  ///< BOOL; true: only the deletion is left
/// Objects that are still to be handed to the delete hook; null: none.
inline constexpr std::string_view kPendingPaths = "pending_s3_paths";
/// A property that every kind may have: the object the record points to.
inline constexpr std::string_view kS3Path = "s3_path";
}  // namespace record_field

/// True for the names above but s3_path.
bool IsReservedProperty(std::string_view name);

struct RecordProperty {
  FieldSchema field;      ///< nullable; `required` says what a kind insists on
  std::string refers_to;  ///< kind of the records whose unique ids it holds; empty: it holds none
  bool required = false;
};

/// What a record can be: Note, Tag, …
struct RecordKind {
  std::string name;
  std::string description;
  std::vector<RecordProperty> properties;
  bool extra_properties = true;  ///< others than these are taken too

  const RecordProperty* Find(std::string_view property) const;
};

/// The kinds of a collection, read from a document (docs/python.md, "Record kinds"):
/// {"kinds": {"Note": {"description", "extra_properties",
///   "properties": [{"name", "type", "element_type", "max_length", "max_capacity", "required",
///                   "refers_to"}]}}}
/// Immutable.
class RecordKinds {
 public:
  /// kInvalidArgument names kind and property: unknown members, reserved names, one property with
  /// two types in two kinds, references to unknown kinds or of other types than VARCHAR.
  static Result<RecordKinds> Parse(std::string_view json);
  /// GeneralRecord, Note, Tag, Misc, NoteBody, DailyNote: default_kinds.json.
  static const RecordKinds& Default();

  /// kInvalidArgument with the known names.
  Result<const RecordKind*> Find(std::string_view name) const;
  const std::vector<RecordKind>& kinds() const { return kinds_; }
  /// The document as canonical JSON.
  const std::string& text() const { return text_; }

  /// The flat layout: uniqueid, vector, tenantName, the fields above, and the properties of all
  /// kinds on the top level.
  CollectionSchema Layout(std::string collection, uint32_t dimension, Metric metric) const;

 private:
  std::vector<RecordKind> kinds_;
  std::string text_;
};

/// kFailedPrecondition, naming what is missing, unless the collection has the fields of a
/// collection of records.
Status CheckRecordLayout(const CollectionSchema& schema);

}  // namespace roost
