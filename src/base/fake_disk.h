#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace roost {

/// A file's bytes twice: as programs see them and as the disk holds them. Part of
/// FakeFileSystem; the caller locks.
class FakeContent {
 public:
  static constexpr uint64_t kSectorBytes = 512;

  const std::string& visible() const { return visible_; }
  void Write(uint64_t offset, std::span<const std::byte> data);
  void Truncate(uint64_t size);
  /// What is dirty becomes durable.
  void Sync();
  /// What is dirty counts as clean without having become durable.
  void FailSync();
  /// A random part of what is dirty becomes durable; the rest is forgotten.
  void Crash(Random& random);
  /// False when there is no such bit.
  bool FlipBit(uint64_t bit);

 private:
  std::string visible_;
  std::string durable_;
  std::set<uint64_t> dirty_;  ///< sectors of visible_ written since the last Sync
  uint64_t lowest_size_ = 0;  ///< the smallest size since the last Sync
};

struct FakeNode;
using FakeNodePtr = std::shared_ptr<FakeNode>;

/// A file or folder, independent of its name.
struct FakeNode {
  bool folder = false;
  FakeContent content;                         ///< of a file
  std::map<std::string, FakeNodePtr> entries;  ///< of a folder, as programs see it
  std::map<std::string, FakeNodePtr> durable_entries;
};

/// The folders: names as programs see them and as the disk holds them, and the changes in between.
/// Part of FakeFileSystem; the caller locks.
class FakeTree {
 public:
  /// Where a path leads: the folder that holds the entry, its name there, and what it names.
  struct Place {
    FakeNodePtr parent;  ///< null when a folder on the way is missing
    std::string name;    ///< empty for the root
    FakeNodePtr node;    ///< null when absent
  };
  /// One entry's new content; null removes it.
  struct Assignment {
    FakeNodePtr folder;
    std::string name;
    FakeNodePtr node;
  };

  FakeTree();
  Place Find(std::string_view path) const;
  /// Makes the changes visible, as one step that a crash keeps or loses whole.
  void Change(std::vector<Assignment> step);
  /// Makes every step that touches `folder` durable.
  void Sync(const FakeNodePtr& folder);
  /// Keeps a random part of the steps, then does the same inside each file that is left.
  void Crash(Random& random);

 private:
  using Step = std::vector<Assignment>;
  using Key = std::pair<const FakeNode*, std::string>;

  static bool Touches(const Step& step, const std::set<Key>& keys);
  static void AddKeys(const Step& step, std::set<Key>& keys);
  static void MakeDurable(const Step& step);
  static void CrashNode(FakeNode& node, Random& random);

  FakeNodePtr root_;
  std::vector<Step> pending_;  ///< visible, not durable; oldest first
};

}  // namespace roost
