#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>

// What the drivers of tests/bench/embedded_bench.py share: a loop that reads commands from standard
// input and answers each with one line of JSON, so that the script can let the systems take turns.
//
//   ingest                            the subject's own reply
//   search EF THREADS ROUNDS FILE     asks every query ROUNDS times; FILE gets the rows found,
//   kTopK
//                                     int32 a query (-1 where there are fewer)
// Standard library only: a driver of a peer is compiled without the rest of the tree.

namespace roost_bench {

constexpr uint32_t kTopK = 10;

inline double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Of the whole process, system time included.
inline double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Whole rows of float32, little endian.
inline std::vector<float> ReadFloats(const std::string& path) {
  std::vector<float> values;
  if (std::FILE* file = std::fopen(path.c_str(), "rb")) {
    std::fseek(file, 0, SEEK_END);
    values.resize(static_cast<size_t>(std::ftell(file)) / sizeof(float));
    std::rewind(file);
    values.resize(std::fread(values.data(), sizeof(float), values.size(), file));
    std::fclose(file);
  }
  return values;
}

struct Subject {
  /// Stores everything and builds the index; replies with members of a JSON object.
  std::function<std::string()> ingest;
  /// The rows nearest to query number `query`, into `rows` (kTopK of them, filled with -1).
  std::function<void(uint32_t query, uint32_t ef, int32_t* rows)> search;
};

/// One pass over all queries, `rounds` times, by `threads` threads that take the next query each.
inline std::string Search(const Subject& subject, uint32_t queries, uint32_t ef, uint32_t threads,
                          uint32_t rounds, const std::string& file) {
  std::vector<int32_t> rows(size_t{queries} * kTopK, -1);
  std::vector<double> latencies(size_t{queries} * rounds);
  std::atomic<size_t> next = 0;
  const auto run = [&] {
    for (size_t i = next++; i < latencies.size(); i = next++) {
      const size_t query = i % queries;
      const double start = Now();
      subject.search(static_cast<uint32_t>(query), ef, rows.data() + query * kTopK);
      latencies[i] = Now() - start;
    }
  };
  const double cpu = CpuSeconds();
  const double start = Now();
  {
    std::vector<std::jthread> helpers;
    for (uint32_t i = 1; i < threads; ++i) {
      helpers.emplace_back(run);
    }
    run();
  }
  const double seconds = Now() - start;
  const double used = CpuSeconds() - cpu;
  if (std::FILE* out = std::fopen(file.c_str(), "wb")) {
    std::fwrite(rows.data(), sizeof(int32_t), rows.size(), out);
    std::fclose(out);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto count = static_cast<double>(latencies.size());
  const auto at = [&](double share) { return latencies[static_cast<size_t>(share * count)] * 1e6; };
  char text[256];
  std::snprintf(text, sizeof(text),
                "\"cpu_us\": %.3f, \"qps\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f",
                used / count * 1e6, count / seconds, at(0.5), at(0.99));
  return text;
}

/// Serves commands until standard input ends. `queries` is their number.
inline int ServeCommands(const Subject& subject, uint32_t queries) {
  std::string command;
  while (std::cin >> command) {
    std::string reply;
    if (command == "ingest") {
      reply = subject.ingest();
    } else if (command == "search") {
      uint32_t ef = 0;
      uint32_t threads = 1;
      uint32_t rounds = 1;
      std::string file;
      std::cin >> ef >> threads >> rounds >> file;
      reply = Search(subject, queries, ef, threads, rounds, file);
    } else {
      std::cerr << "unknown command " << command << "\n";
      return 2;
    }
    std::cout << "{" << reply << "}" << std::endl;
  }
  return 0;
}

}  // namespace roost_bench
