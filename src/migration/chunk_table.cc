#include "migration/chunk_table.h"

#include <algorithm>
#include <utility>

#include "base/result.h"

namespace roost {

void ChunkTable::SetChunks(std::vector<ChunkRow> chunks) {
  std::lock_guard lock(mutex_);
  slots_.clear();
  counts_ = {.chunks = chunks.size()};
  for (ChunkRow& chunk : chunks) {
    CHECK(chunk.number == slots_.size());
    counts_.closed += chunk.state == ChunkState::kClosed ? 1 : 0;
    counts_.copied += chunk.records;
    slots_.push_back({.chunk = std::move(chunk)});
  }
  next_copy_ = 0;
  next_verify_ = 0;
}

std::vector<ChunkRow> ChunkTable::Chunks() const {
  std::lock_guard lock(mutex_);
  std::vector<ChunkRow> chunks;
  chunks.reserve(slots_.size());
  for (const Slot& slot : slots_) {
    chunks.push_back(slot.chunk);
  }
  return chunks;
}

std::optional<ChunkRow> ChunkTable::TakeToCopy() {
  std::lock_guard lock(mutex_);
  for (; next_copy_ < slots_.size(); ++next_copy_) {
    Slot& slot = slots_[next_copy_];
    if (slot.chunk.state != ChunkState::kClosed && !slot.copying) {
      slot.copying = true;
      ++next_copy_;
      return slot.chunk;
    }
  }
  return std::nullopt;
}

void ChunkTable::Return(const ChunkRow& chunk) {
  std::lock_guard lock(mutex_);
  Slot& slot = slots_[chunk.number];
  counts_.copied += chunk.records - slot.chunk.records;
  counts_.closed += chunk.state == ChunkState::kClosed ? 1 : 0;
  slot.chunk = chunk;
  slot.copying = false;
  if (chunk.state != ChunkState::kClosed) {
    next_copy_ = std::min<size_t>(next_copy_, chunk.number);
  }
}

void ChunkTable::SetPass(uint64_t pass, std::vector<VerificationRow> rows) {
  std::lock_guard lock(mutex_);
  pass_ = pass;
  for (Slot& slot : slots_) {
    slot.verdict.reset();
    slot.verifying = false;
  }
  counts_.judged = counts_.verified = counts_.missing = counts_.extra = counts_.different = 0;
  next_verify_ = 0;
  for (VerificationRow& row : rows) {
    JudgeLocked(std::move(row));
  }
}

std::optional<ChunkRow> ChunkTable::TakeToVerify() {
  std::lock_guard lock(mutex_);
  for (; next_verify_ < slots_.size(); ++next_verify_) {
    Slot& slot = slots_[next_verify_];
    if (!slot.verdict.has_value() && !slot.verifying) {
      slot.verifying = true;
      ++next_verify_;
      return slot.chunk;
    }
  }
  return std::nullopt;
}

void ChunkTable::ReturnUnverified(uint64_t number) {
  std::lock_guard lock(mutex_);
  slots_[number].verifying = false;
  next_verify_ = std::min<size_t>(next_verify_, number);
}

void ChunkTable::Judge(const VerificationRow& row) {
  std::lock_guard lock(mutex_);
  JudgeLocked(row);
}

void ChunkTable::JudgeLocked(VerificationRow row) {
  if (row.pass != pass_ || row.chunk >= slots_.size() || slots_[row.chunk].verdict.has_value()) {
    return;
  }
  ++counts_.judged;
  counts_.verified += std::max(row.records_a, row.records_b);
  counts_.missing += row.missing;
  counts_.extra += row.extra;
  counts_.different += row.different;
  Slot& slot = slots_[row.chunk];
  slot.verifying = false;
  slot.verdict = std::move(row);
}

ChunkTable::Counts ChunkTable::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

std::vector<std::string> ChunkTable::Samples() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> samples;
  for (const Slot& slot : slots_) {
    if (slot.verdict.has_value() && !slot.verdict->sample.empty()) {
      samples.push_back(slot.verdict->sample);
    }
  }
  return samples;
}

}  // namespace roost
