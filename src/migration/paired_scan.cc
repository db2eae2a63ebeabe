#include "migration/paired_scan.h"

#include <utility>

#include "migration/key_codec.h"
#include "migration/record_codec.h"

namespace roost {

Result<PairedScan> PairedScan::Make(const BulkOptions& options, Clock& clock, Stores stores,
                                    std::string collection, const KeyRange& range,
                                    uint32_t page_rows) {
  PairedScan scan(options, clock, stores);
  scan.request_.collection = std::move(collection);
  scan.request_.limit = page_rows;
  if (range.lo.has_value()) {
    scan.request_.after = TRY(DecodeKey(*range.lo));
  }
  if (range.hi.has_value()) {
    scan.request_.until = TRY(DecodeKey(*range.hi));
  }
  return scan;
}

Result<PairedScan::Piece> PairedScan::Next(const RequestContext& context) {
  Piece piece;
  ScanPage page = TRY(ScanPatiently(context, options_, *clock_, stores_.first, request_));
  piece.first = std::move(page.records);
  piece.last = page.done;
  ScanRequest second = request_;
  if (!piece.last) {
    second.until = piece.first.back().key;
  }
  while (true) {
    page = TRY(ScanPatiently(context, options_, *clock_, stores_.second, second));
    std::move(page.records.begin(), page.records.end(), std::back_inserter(piece.second));
    if (page.done) {
      break;
    }
    second.after = piece.second.back().key;
  }
  if (!piece.last) {
    request_.after = piece.first.back().key;
  }
  return piece;
}

std::vector<Difference> Differences(const PairedScan::Piece& piece) {
  std::vector<Difference> found;
  auto a = piece.first.begin();
  auto b = piece.second.begin();
  while (a != piece.first.end() || b != piece.second.end()) {
    if (b == piece.second.end() || (a != piece.first.end() && a->key < b->key)) {
      found.push_back({.kind = Difference::Kind::kMissing, .key = a->key, .first = &*a});
      ++a;
    } else if (a == piece.first.end() || b->key < a->key) {
      found.push_back({.kind = Difference::Kind::kExtra, .key = b->key});
      ++b;
    } else {
      if (DigestOf(*a) != DigestOf(*b)) {
        found.push_back({.kind = Difference::Kind::kDifferent, .key = a->key, .first = &*a});
      }
      ++a;
      ++b;
    }
  }
  return found;
}

}  // namespace roost
