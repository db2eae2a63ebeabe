#include "adapters/embedded/catalog.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace roost::embedded {

Status Collection::CheckIntact() const {
  std::lock_guard lock(mutex_);
  if (damage_) {
    return *damage_;
  }
  return {};
}

Error Collection::Quarantine(const Error& error) {
  std::lock_guard lock(mutex_);
  if (!damage_) {
    damage_ = error.Within("collection \"" + schema.name + "\"");
    LogError("A collection is damaged and serves no more; others go on",
             {{"collection", schema.name}, {"error", error}});
  }
  return *damage_;
}

Status Collection::Watch(Status status) {
  if (!status.ok() && status.code() == Code::kDataLoss) {
    return Quarantine(status.error());
  }
  return status;
}

Result<Pin> Catalog::PinCollection(const std::string& name) const {
  Pin pin;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      return NotFound("collection \"" + name + "\" does not exist");
    }
    pin = {found->second.collection, found->second.version, visible_lsn_};
  }
  TRY(pin.collection->CheckIntact());
  return pin;
}

std::shared_ptr<Collection> Catalog::Find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.collection;
}

std::shared_ptr<const Version> Catalog::VersionOf(const Collection& collection) const {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(collection.schema.name);
  if (found == entries_.end() || found->second.collection.get() != &collection) {
    return std::make_shared<Version>();  // Dropped meanwhile.
  }
  return found->second.version;
}

std::vector<std::shared_ptr<Collection>> Catalog::All() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Collection>> all;
  all.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) {
    all.push_back(entry.collection);
  }
  return all;
}

std::vector<std::string> Catalog::Names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) {
    names.push_back(name);
  }
  return names;
}

std::vector<Pin> Catalog::PinAll() const {
  std::lock_guard lock(mutex_);
  std::vector<Pin> pins;
  for (const auto& [name, entry] : entries_) {
    if (entry.collection->CheckIntact().ok()) {
      pins.push_back({entry.collection, entry.version, visible_lsn_});
    }
  }
  return pins;
}

void Catalog::Add(std::shared_ptr<Collection> collection, std::shared_ptr<const Version> version) {
  std::lock_guard lock(mutex_);
  const std::string name = collection->schema.name;
  entries_.insert_or_assign(name, Entry{std::move(collection), std::move(version)});
}

void Catalog::Remove(const Collection& collection) {
  Entry removed;  // Destroyed after the lock: it may hold the last user of files.
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(collection.schema.name);
  if (found != entries_.end() && found->second.collection.get() == &collection) {
    removed = std::move(found->second);
    entries_.erase(found);
  }
}

void Catalog::SetVersion(const Collection& collection, std::shared_ptr<const Version> version) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(collection.schema.name);
  if (found != entries_.end() && found->second.collection.get() == &collection) {
    found->second.version.swap(version);  // The old one dies with the argument, after the lock.
  }
}

void Catalog::AdvanceVisible(uint64_t lsn) {
  std::lock_guard lock(mutex_);
  visible_lsn_ = std::max(visible_lsn_, lsn);
}

uint64_t Catalog::visible_lsn() const {
  std::lock_guard lock(mutex_);
  return visible_lsn_;
}

void Location::End(uint64_t lsn) const {
  if (sealed != nullptr) {
    sealed->ends().Set(slot, lsn);
  } else {
    growing->End(slot, lsn);
  }
}

RowPlace Location::Place() const {
  return sealed != nullptr ? RowPlace{sealed->block(), slot} : growing->At(slot);
}

std::optional<Location> FindLatest(const Version& version, const KeyRef& key) {
  if (const auto slot = version.active->FindLatest(key)) {
    return Location{.growing = version.active.get(), .slot = *slot};
  }
  for (auto frozen = version.frozen.rbegin(); frozen != version.frozen.rend(); ++frozen) {
    if (const auto slot = frozen->rows->FindLatest(key)) {
      return Location{.growing = frozen->rows.get(), .slot = *slot};
    }
  }
  for (auto sealed = version.sealed.rbegin(); sealed != version.sealed.rend(); ++sealed) {
    const auto slot = (*sealed)->Find(key);
    if (slot && (*sealed)->ends().Get(*slot) == 0) {
      return Location{.sealed = sealed->get(), .slot = *slot};
    }
  }
  return std::nullopt;
}

std::optional<FoundRow> FindPinned(const Pin& pin, const KeyRef& key) {
  const Version& version = *pin.version;
  if (auto place = version.active->Find(key, pin.lsn)) {
    return FoundRow{.place = *place};
  }
  for (auto frozen = version.frozen.rbegin(); frozen != version.frozen.rend(); ++frozen) {
    if (auto place = frozen->rows->Find(key, pin.lsn)) {
      return FoundRow{.place = *place};
    }
  }
  for (auto sealed = version.sealed.rbegin(); sealed != version.sealed.rend(); ++sealed) {
    const auto slot = (*sealed)->Find(key);
    if (slot && (*sealed)->ends().LiveAt(*slot, pin.lsn)) {
      return FoundRow{.place = {(*sealed)->block(), *slot}, .sealed = sealed->get()};
    }
  }
  return std::nullopt;
}

Status VerifyKeys(const Version& version) {
  for (const auto& segment : version.sealed) {
    TRY(segment->VerifyKeys());
  }
  return {};
}

}  // namespace roost::embedded
