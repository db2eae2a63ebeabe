#include "base/process.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

namespace roost {

namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

Result<ProcessUsage> ReadProcessUsage() {
  ProcessUsage usage;
  std::ifstream memory("/proc/self/statm");
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  if (!(memory >> total_pages >> resident_pages)) {
    return Unavailable("cannot read /proc/self/statm; is /proc mounted?");
  }
  usage.resident_bytes = resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));

  rusage times{};
  getrusage(RUSAGE_SELF, &times);
  usage.cpu_seconds = Seconds(times.ru_utime) + Seconds(times.ru_stime);

  const auto count_entries = [](const char* folder) -> Result<uint64_t> {
    uint64_t count = 0;
    std::error_code error;
    std::filesystem::directory_iterator entry(folder, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      ++count;
    }
    if (error) {
      return Unavailable(std::string("cannot list ") + folder + ": " + error.message());
    }
    return count;
  };
  usage.threads = TRY(count_entries("/proc/self/task"));
  usage.open_files = TRY(count_entries("/proc/self/fd"));
  usage.open_files -= usage.open_files > 0 ? 1 : 0;  // The one that lists them.
  return usage;
}

}  // namespace roost
