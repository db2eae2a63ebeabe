#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/records/record_types.h"

namespace roost {

// The records of a collection of records, field by field. Pure functions.

/// The text or number of a field; "" or 0 where there is none.
std::string_view TextOf(const Record& record, std::string_view field);
int64_t MicrosOf(const Record& record, std::string_view field);
bool IsDeletion(const Record& record);
/// Sets the field; an empty text removes it.
void SetText(Record& record, std::string_view field, std::string_view text);
void SetMicros(Record& record, std::string_view field, int64_t micros);

std::vector<std::string> PendingPathsOf(const Record& record);
/// Adds what is not there; empty texts are passed over.
void AddPendingPath(Record& record, std::string_view path);
void RemovePendingPath(Record& record, std::string_view path);

/// kInvalidArgument, naming id and property: reserved names, names that the kind does not take,
/// required ones that are missing, vectors under another name.
Status CheckKind(const RecordKind& kind, const Record& record);

/// `base` with the changes of `update`: null removes. `dynamic` may be any JSON object's text; the
/// result's is canonical.
Result<Record> MergeProperties(Record base, const Record& update);

/// What is left of a record when it is deleted.
Record Deletion(const RecordKey& key, const Record* stored);

/// Sets who wrote and when.
void SetOrigin(Record& record, const RecordOrigin& origin, int64_t stamp);

}  // namespace roost
