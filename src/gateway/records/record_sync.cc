// What other devices changed.
#include <charconv>

#include <fmt/format.h>

#include "base/base64.h"
#include "gateway/records/flat_record.h"
#include "gateway/records/record_service.h"
#include "store/scalar_text.h"

namespace roost {

namespace {

namespace f = record_field;

// A cursor carries, beside the place, where the next sync begins: that is known at the first page
// only, for what is written while pages are read may stand before the place.
struct Place {
  int64_t next_since = 0;
  uint64_t position = 0;  ///< positions passed, for next_offset
  std::string after;
};

std::string EncodeCursor(const Place& place) {
  return EncodeBase64(fmt::format("{}:{}:{}", place.next_since, place.position, place.after));
}

Result<Place> DecodeCursor(const std::string& cursor) {
  const Error refused = InvalidArgument("\"cursor\" is not one that a sync gave");
  const Result<std::string> text = DecodeBase64(cursor);
  if (!text.ok()) {
    return refused;
  }
  Place place;
  const char* const end = text->data() + text->size();
  const auto [colon, bad_since] = std::from_chars(text->data(), end, place.next_since);
  if (bad_since != std::errc() || colon == end || *colon != ':') {
    return refused;
  }
  const auto [second, bad_position] = std::from_chars(colon + 1, end, place.position);
  if (bad_position != std::errc() || second == end || *second != ':' || second + 1 == end) {
    return refused;
  }
  place.after.assign(second + 1, end);
  return place;
}

// True where somebody else than the device changed the record since that moment, as far as the
// device may not know.
bool IsNews(const Record& record, int64_t since, const std::string& device_id) {
  if (device_id.empty() || TextOf(record, f::kDeviceId) != device_id) {
    return true;
  }
  const int64_t other = MicrosOf(record, f::kOtherModified);
  return other != 0 && other >= since;
}

}  // namespace

Result<SyncPage> RecordService::SyncByLastModified(const RequestContext& context,
                                                   const RecordScope& scope,
                                                   const SyncRequest& request) {
  // Before the store is read: what is stamped later, or is stamped and not stored yet, is told by
  // the next sync.
  const int64_t known_until = ToUnixMicros(clock_.WallNow() - options_.overlap());
  const RecordLayout layout = TRY(Layout(context, scope.collection));
  if (request.limit == 0 || request.limit > options_.max_limit) {
    return InvalidArgument(
        fmt::format("\"limit\" is {}; it must be from 1 to {}", request.limit, options_.max_limit));
  }
  if (!request.cursor.empty() && request.offset != 0) {
    return InvalidArgument("give either \"cursor\" or \"offset\", not both");
  }
  Place place{.next_since = known_until, .position = request.offset, .after = {}};
  if (!request.cursor.empty()) {
    place = TRY(DecodeCursor(request.cursor));
  }
  QueryRequest query{.collection = scope.collection, .filter = {}, .tenant = scope.tenant};
  if (request.since) {
    TRY(CheckPurged(scope.collection, *request.since));
    query.filter = TRY(ParseFilter("last_modified >= {since}", *layout.schema,
                                   {{"since", Value(*request.since)}}));
  }
  if (!place.after.empty()) {
    FilterPtr after =
        TRY(ParseFilter("uniqueid > {after}", *layout.schema, {{"after", Value(place.after)}}));
    query.filter = AndFilters(std::move(query.filter), std::move(after));
  }
  query.offset = request.offset;
  query.limit = uint64_t{request.limit} + 1;
  query.output.vectors = request.include_vector;
  QueryResult found = TRY(gateway_.Query(context, query));

  SyncPage page;
  page.has_more = found.records.size() > request.limit;
  found.records.resize(std::min<size_t>(found.records.size(), request.limit));
  page.next_offset = place.position + found.records.size();
  if (request.offset == 0) {
    page.next_since = place.next_since;
    if (page.has_more) {
      page.next_cursor =
          EncodeCursor({.next_since = place.next_since,
                        .position = page.next_offset,
                        .after = std::get<std::string>(found.records.back().key.key)});
    }
  }
  for (Record& record : found.records) {
    // Who begins anew has nothing, not even what it wrote itself.
    if (!request.since || IsNews(record, *request.since, request.device_id)) {
      page.records.push_back(std::move(record));
    }
  }
  return page;
}

}  // namespace roost
