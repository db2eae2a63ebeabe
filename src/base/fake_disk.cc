#include "base/fake_disk.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"

namespace roost {

namespace {

/// How much of what was not synced a crash keeps. All and nothing are as likely as a mixture, since
/// these are what most power cuts leave.
enum class Fate { kNothing, kAll, kMixture };

Fate ChooseFate(Random& random) { return static_cast<Fate>(random.Below(3)); }

bool Keep(Fate fate, Random& random) {
  if (fate == Fate::kNothing || fate == Fate::kAll) {
    return fate == Fate::kAll;
  }
  return random.Below(2) == 0;
}

/// Copies one sector, as far as both sides reach.
void CopySector(const std::string& from, uint64_t sector, std::string& to) {
  const uint64_t start = sector * FakeContent::kSectorBytes;
  const uint64_t end =
      std::min<uint64_t>({start + FakeContent::kSectorBytes, from.size(), to.size()});
  if (start < end) {
    std::memcpy(to.data() + start, from.data() + start, end - start);
  }
}

}  // namespace

void FakeContent::Write(uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) {
    return;
  }
  const uint64_t end = offset + data.size();
  // Bytes between the old end and the write are zeros that are written, too.
  const uint64_t first = std::min<uint64_t>(offset, visible_.size()) / kSectorBytes;
  if (end > visible_.size()) {
    visible_.resize(end, '\0');
  }
  std::memcpy(visible_.data() + offset, data.data(), data.size());
  for (uint64_t sector = first; sector <= (end - 1) / kSectorBytes; ++sector) {
    dirty_.insert(dirty_.end(), sector);
  }
}

void FakeContent::Truncate(uint64_t size) {
  visible_.resize(size, '\0');
  lowest_size_ = std::min(lowest_size_, size);
  dirty_.erase(dirty_.lower_bound((size + kSectorBytes - 1) / kSectorBytes), dirty_.end());
}

void FakeContent::Sync() {
  // What a truncation cut off must not come back when the file grew again.
  durable_.resize(std::min<uint64_t>(durable_.size(), lowest_size_));
  durable_.resize(visible_.size(), '\0');
  for (const uint64_t sector : dirty_) {
    CopySector(visible_, sector, durable_);
  }
  dirty_.clear();
  lowest_size_ = visible_.size();
}

void FakeContent::FailSync() { dirty_.clear(); }

void FakeContent::Crash(Random& random) {
  const Fate fate = ChooseFate(random);
  std::string after = durable_;
  if (lowest_size_ < after.size() && Keep(fate, random)) {
    after.resize(lowest_size_);
  }
  if (visible_.size() > after.size()) {
    const uint64_t grown = visible_.size() - after.size();
    const uint64_t kept = fate == Fate::kNothing ? 0
                          : fate == Fate::kAll   ? grown
                                                 : random.Below(grown + 1);
    after.resize(after.size() + kept, '\0');
  }
  for (const uint64_t sector : dirty_) {
    if (Keep(fate, random)) {
      CopySector(visible_, sector, after);
    }
  }
  durable_ = after;
  visible_ = std::move(after);
  dirty_.clear();
  lowest_size_ = visible_.size();
}

bool FakeContent::FlipBit(uint64_t bit) {
  const uint64_t byte = bit / 8;
  if (byte >= durable_.size()) {
    return false;
  }
  const char mask = static_cast<char>(1 << (bit % 8));
  durable_[byte] = static_cast<char>(durable_[byte] ^ mask);
  if (byte < visible_.size()) {
    visible_[byte] = static_cast<char>(visible_[byte] ^ mask);
  }
  return true;
}

FakeTree::FakeTree() : root_(std::make_shared<FakeNode>()) { root_->folder = true; }

FakeTree::Place FakeTree::Find(std::string_view path) const {
  std::vector<std::string_view> names;
  for (const std::string_view name : Split(path, '/')) {
    if (name == ".." && !names.empty()) {
      names.pop_back();
    } else if (!name.empty() && name != "." && name != "..") {
      names.push_back(name);
    }
  }
  Place place{.parent = nullptr, .name = "", .node = root_};
  for (const std::string_view name : names) {
    if (!place.node || !place.node->folder) {
      return {.parent = nullptr, .name = std::string(name), .node = nullptr};
    }
    place.parent = place.node;
    place.name = name;
    const auto found = place.parent->entries.find(place.name);
    place.node = found == place.parent->entries.end() ? nullptr : found->second;
  }
  return place;
}

void FakeTree::Change(Step step) {
  for (const Assignment& change : step) {
    if (change.node) {
      change.folder->entries[change.name] = change.node;
    } else {
      change.folder->entries.erase(change.name);
    }
  }
  pending_.push_back(std::move(step));
}

bool FakeTree::Touches(const Step& step, const std::set<Key>& keys) {
  return std::any_of(step.begin(), step.end(), [&](const Assignment& change) {
    return keys.contains(Key(change.folder.get(), change.name));
  });
}

void FakeTree::AddKeys(const Step& step, std::set<Key>& keys) {
  for (const Assignment& change : step) {
    keys.emplace(change.folder.get(), change.name);
  }
}

void FakeTree::MakeDurable(const Step& step) {
  for (const Assignment& change : step) {
    if (change.node) {
      change.folder->durable_entries[change.name] = change.node;
    } else {
      change.folder->durable_entries.erase(change.name);
    }
  }
}

void FakeTree::Sync(const FakeNodePtr& folder) {
  // A step that moves an entry between two folders takes along the earlier ones of that entry in
  // the other folder, else an older state would overwrite a newer one later.
  std::set<Key> needed;
  std::vector<bool> chosen(pending_.size());
  for (size_t i = pending_.size(); i-- > 0;) {
    const Step& step = pending_[i];
    const bool touches_folder =
        std::any_of(step.begin(), step.end(),
                    [&](const Assignment& change) { return change.folder == folder; });
    if (touches_folder || Touches(step, needed)) {
      chosen[i] = true;
      AddKeys(step, needed);
    }
  }
  std::vector<Step> left;
  for (size_t i = 0; i < pending_.size(); ++i) {
    if (chosen[i]) {
      MakeDurable(pending_[i]);
    } else {
      left.push_back(std::move(pending_[i]));
    }
  }
  pending_ = std::move(left);
}

void FakeTree::Crash(Random& random) {
  const Fate fate = ChooseFate(random);
  std::set<Key> lost;
  for (const Step& step : pending_) {
    if (!Touches(step, lost) && Keep(fate, random)) {
      MakeDurable(step);
    } else {
      AddKeys(step, lost);
    }
  }
  pending_.clear();
  CrashNode(*root_, random);
}

void FakeTree::CrashNode(FakeNode& node, Random& random) {
  if (!node.folder) {
    node.content.Crash(random);
    return;
  }
  node.entries = node.durable_entries;
  for (const auto& [name, child] : node.entries) {
    CrashNode(*child, random);
  }
}

}  // namespace roost
