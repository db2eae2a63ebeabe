// The callers of tests/bench/gateway_bench.py, in one process for both sides, so that what the load
// itself costs is the same for both. Commands come line by line on standard input:
//
//   http NAME PORT PATH BODIES            an arm: how searches are asked (gateway_clients.h)
//   pg NAME ADDRESS SETUP_FILE SQL_FILE
//   milvus NAME PORT COLLECTION KEY EF
//   weaviate NAME PORT COLLECTION VECTOR
//   show NAME QUERY                       the reply of one search, on one line
//   run NAME CALLERS SECONDS RATE FILE    RATE searches a second in all, 0: one after the other
//
// usage: roost_gateway_bench QUERIES.f32 DIMENSION

#include <algorithm>
#include <barrier>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include <sys/prctl.h>
#include <time.h>

#include "gateway_clients.h"
#include "search_driver.h"

namespace {

using namespace roost_bench;

struct Arm {
  MakeClient make;
  std::vector<std::unique_ptr<SearchClient>> clients;  // kept between runs, as callers keep theirs

  void Grow(size_t callers) {
    while (clients.size() < callers) {
      clients.push_back(make());
    }
  }
};

struct Load {
  size_t callers = 1;
  double seconds = 1;
  double rate = 0;
};

void SleepUntil(double due) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(due);
  time.tv_nsec = static_cast<long>((due - static_cast<double>(time.tv_sec)) * 1e9);
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

/// Latencies in microseconds; with a rate from the moment that each search was due, so that a slow
/// one delays those behind it as it would those of users.
std::vector<double> RunCaller(SearchClient& client, const Load& load, size_t number, double begin) {
  std::vector<double> latencies;
  const double period = load.rate > 0 ? static_cast<double>(load.callers) / load.rate : 0;
  double due = begin + period * static_cast<double>(number) / static_cast<double>(load.callers);
  for (size_t query = number * 37; due < begin + load.seconds; ++query) {
    if (period > 0) {
      SleepUntil(due);
    }
    client.Search(query);
    const double now = Now();
    latencies.push_back((now - due) * 1e6);
    due = period > 0 ? due + period : now;
  }
  return latencies;
}

std::string Run(Arm& arm, const Load& load, const std::string& file) {
  arm.Grow(load.callers);
  std::vector<std::vector<double>> latencies(load.callers);
  double begin = 0;
  double end = 0;
  const double cpu = CpuSeconds();
  {
    std::barrier ready(static_cast<ptrdiff_t>(load.callers), [&]() noexcept { begin = Now(); });
    std::vector<std::jthread> callers;
    for (size_t i = 0; i < load.callers; ++i) {
      callers.emplace_back([&, i] {
        ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
        ready.arrive_and_wait();
        latencies[i] = RunCaller(*arm.clients[i], load, i, begin);
      });
    }
  }
  end = Now();
  std::vector<double> all;
  for (const auto& some : latencies) {
    all.insert(all.end(), some.begin(), some.end());
  }
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(all.data()),
            static_cast<std::streamsize>(all.size() * sizeof(double)));
  std::ostringstream reply;
  reply << all.size() << " " << end - begin << " " << CpuSeconds() - cpu;
  return reply.str();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Vectors ReadQueries(const std::string& path, size_t dimension) {
  const std::vector<float> values = ReadFloats(path);
  Vectors queries;
  for (size_t at = 0; at + dimension <= values.size(); at += dimension) {
    queries.emplace_back(values.begin() + static_cast<ptrdiff_t>(at),
                         values.begin() + static_cast<ptrdiff_t>(at + dimension));
  }
  return queries;
}

MakeClient ReadArm(const std::string& kind, std::istream& words, const Vectors& queries) {
  std::string first;
  std::string second;
  std::string third;
  uint32_t number = 0;
  if (kind == "http") {
    words >> number >> first >> second;
    return HttpClients(static_cast<uint16_t>(number), first, second);
  }
  if (kind == "pg") {
    words >> first >> second >> third;
    return PgClients(first, ReadFile(second), ReadFile(third), queries);
  }
  words >> number >> first >> second;
  if (kind == "milvus") {
    uint32_t ef = 0;
    words >> ef;
    return MilvusClients(static_cast<uint16_t>(number), first, second, ef, queries);
  }
  return WeaviateClients(static_cast<uint16_t>(number), first, second, queries);
}

std::string OnOneLine(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: " << argv[0] << " QUERIES.f32 DIMENSION\n";
    return 2;
  }
  const Vectors queries = ReadQueries(argv[1], std::stoul(argv[2]));
  std::map<std::string, Arm> arms;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    std::string name;
    words >> command >> name;
    if (command == "show") {
      size_t query = 0;
      words >> query;
      Arm& arm = arms.at(name);
      arm.Grow(1);
      std::cout << OnOneLine(arm.clients[0]->Show(query)) << std::endl;
    } else if (command == "run") {
      Load load;
      std::string file;
      words >> load.callers >> load.seconds >> load.rate >> file;
      std::cout << Run(arms.at(name), load, file) << std::endl;
    } else {
      arms[name].make = ReadArm(command, words, queries);
      std::cout << "ok" << std::endl;
    }
  }
  return 0;
}
