#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/file_system.h"
#include "base/random.h"

namespace roost {

/// A disk in memory that forgets like a real one. For tests and simulation. Thread safe.
///
/// Bytes written since the last Sync() and folder entries changed since the last SyncDirectory()
/// are lost by Crash() in a random subset that keeps each file a mix of old and new (512-byte
/// sectors, a tail cut anywhere, zeros where nothing arrived), as a power cut leaves it. A rename
/// is kept or lost as a whole; once a change of an entry is lost, so are later ones of that entry.
///
/// A failed Sync() is as on Linux: what it should have written counts as clean. It can still be
/// read, a later Sync() succeeds without it, and Crash() loses it.
///
/// All paths start at one root; "a/b" and "/a/b" are the same. Mapped files are copies.
class FakeFileSystem : public FileSystem {
 public:
  /// What to do to the operations that follow. Counted over all files.
  struct Faults {
    int64_t fail_write_after = -1;  ///< the nth Append/WriteAt from now fails (0 = next); -1 never
    int64_t fail_sync_after = -1;   ///< the nth Sync from now fails
    int64_t fail_read_after = -1;   ///< the nth ReadAt or Map from now fails
    int64_t free_bytes = -1;    ///< room left; writes beyond it are kResourceExhausted; -1 no limit
    bool short_writes = false;  ///< a failing write leaves a random prefix behind
    /// The power goes during the nth of what operations() counts: that call and every later one
    /// fails with kUnavailable until Crash(). For tests that crash at each step in turn.
    int64_t power_off_after = -1;
  };

  static std::unique_ptr<FakeFileSystem> Make();

  /// Replaces what was set before. Each nth operation fails once; room left stays limited. Crash()
  /// sets everything back to no faults.
  virtual void SetFaults(Faults faults) = 0;
  /// The power is gone between two operations: every later one fails with kUnavailable, and changes
  /// nothing, until Crash(). So that the end of whatever uses the disk leaves no traces on it.
  virtual void PowerOff() = 0;
  /// The power cut, and the start after it. Open files become useless (every call fails with
  /// kUnavailable), locks are freed.
  virtual void Crash(Random& random) = 0;
  /// Number of Append, WriteAt, Truncate, Sync, SyncDirectory, Rename, Remove so far.
  virtual uint64_t operations() const = 0;
  /// Flips one bit of the durable content, as a failing disk does; reads see it at once. Bit 8 is
  /// the lowest of the second byte. kOutOfRange beyond the end.
  virtual Status FlipBit(const std::string& path, uint64_t bit) = 0;
};

}  // namespace roost
