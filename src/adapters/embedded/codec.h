#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

// Bytes of values, schemas and rows, as they stand in log, manifest and segment files. Decoders
// take any bytes and return kDataLoss for those they do not understand.

void EncodeValue(const Value& value, std::string& out);
Result<Value> DecodeValue(ByteReader& reader);

/// Starts with the version of the encoding.
void EncodeSchema(const CollectionSchema& schema, std::string& out);
Result<CollectionSchema> DecodeSchema(ByteReader& reader);

void EncodeKey(const RecordKey& key, std::string& out);
Result<RecordKey> DecodeKey(ByteReader& reader);

/// A row by position in the schema; null fields take one byte.
void EncodeRecord(const CollectionSchema& schema, const Record& record, std::string& out);
Result<Record> DecodeRecord(const CollectionSchema& schema, ByteReader& reader);

}  // namespace roost::embedded
