#include "base/process.h"

#include <cstdio>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace roost {
namespace {

TEST(Process, CountsItsOwnThreads) {
  // Lower bounds: a thread that was just joined may still be listed for a moment.
  EXPECT_GE(ReadProcessUsage()->threads, 1U);
  std::vector<std::jthread> extra;
  for (int i = 0; i < 5; ++i) {
    extra.emplace_back([](std::stop_token stop) {
      while (!stop.stop_requested()) {
        std::this_thread::yield();
      }
    });
  }
  EXPECT_GE(ReadProcessUsage()->threads, 6U);
}

TEST(Process, CpuTimeGrowsWithWork) {
  const double before = ReadProcessUsage()->cpu_seconds;
  volatile uint64_t sum = 0;
  while (ReadProcessUsage()->cpu_seconds < before + 0.02) {
    for (int i = 0; i < 10'000; ++i) {
      sum = sum + 1;
    }
  }
  EXPECT_GT(sum, 0U);
}

TEST(Process, MemoryGrowsWithUse) {
  constexpr size_t kBytes = size_t{64} << 20;
  const uint64_t before = ReadProcessUsage()->resident_bytes;
  const std::vector<char> used(kBytes, 'x');
  EXPECT_GE(ReadProcessUsage()->resident_bytes, before + kBytes * 9 / 10);
  EXPECT_EQ(used.back(), 'x');
}

TEST(Process, CountsOpenFiles) {
  const uint64_t before = ReadProcessUsage()->open_files;
  FILE* file = std::fopen("/dev/null", "r");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(ReadProcessUsage()->open_files, before + 1);
  std::fclose(file);
}

}  // namespace
}  // namespace roost
