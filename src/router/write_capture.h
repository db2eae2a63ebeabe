#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// What became of one key's write at the authority.
enum class WriteOutcome : uint8_t {
  kWritten,
  kRejected,  ///< for certain without effect
  kUnknown,   ///< may still land, at the latest after the store's zombie horizon
};

/// What became of it at the other store.
enum class MirrorOutcome : uint8_t {
  kMirrored,     ///< it holds what the authority holds
  kNotMirrored,  ///< not tried, or failed for certain
  kUnknown,
};

/// A write between its mark and its end. Used by one thread at a time, but for ReplyBeforeFinish,
/// which may run beside Finish. Destroyed unfinished, it counts as unknown on both sides.
class WriteBracket {
 public:
  virtual ~WriteBracket() = default;

  /// To be handed to the other store as WriteRequest::fence.
  virtual uint64_t fence() const = 0;
  /// False when somebody else is writing or copying this key: the other store must then not be
  /// written, the key is brought over later.
  virtual bool MayMirror(size_t key) const = 0;

  /// One outcome a key. Lets the next writer of each key go on, except behind unknown ones.
  virtual Status AuthorityDone(const RequestContext&, std::span<const WriteOutcome>) = 0;
  /// Instead of AuthorityDone where what was written depended on the store (a delete with a
  /// filter) and the route captures payloads: `state` is what the authority holds now, null for
  /// nothing. Returns once that is durable.
  virtual Status AuthorityDoneWith(const RequestContext&, std::span<const WriteOutcome>,
                                   std::span<const Record* const> state) = 0;
  /// The reply is about to be sent. Unless Finish was called already, reads must not go to the
  /// other store from now on until this write is there.
  virtual void ReplyBeforeFinish() = 0;
  /// One outcome a key. Does not wait for the disk.
  virtual void Finish(std::span<const MirrorOutcome>) = 0;
};

/// Records which keys of a moving collection are being written, so that the other store can be made
/// equal whatever happens. migration/ledger.h implements it. Thread safe.
class WriteCapture {
 public:
  virtual ~WriteCapture() = default;

  /// Durable before it returns: only then may the authority be written. `keys` hold no duplicates.
  /// `payload` is empty, or holds one entry a key: the record to be written, null for a delete.
  /// Waits while another write of one of the keys is between its mark and the authority's answer.
  /// kUnavailable when the mark cannot be stored: nothing may be written then.
  virtual Result<std::unique_ptr<WriteBracket>> Mark(const RequestContext&,
                                                     std::vector<RecordKey> keys,
                                                     std::span<const Record* const> payload) = 0;

  /// True when a read of this session from the other store shows everything that any earlier
  /// answer showed. Constant time. `epoch` is that of the reader's route.
  virtual bool OtherReadable(uint64_t epoch, uint32_t session_slot) = 0;
  /// The session was answered by the authority though it belongs to the other store: that store may
  /// answer it again only once it has caught up with what was being written until now.
  virtual void AnsweredByAuthority(uint32_t session_slot) = 0;
};

}  // namespace roost
