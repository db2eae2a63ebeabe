// What a search costs in the engine itself, for tests/bench/edge_bench.py: the same queries that go
// through REST, asked in process of a copy of the server's folder.
//
// Usage: roost_edge_bench_search STORE_FOLDER COLLECTION QUERIES.f32 TOP_K FIELD…
// Prints the keys of the first query's hits on one line. Then each line of standard input, a number
// of rounds and a pause, is answered with the CPU microseconds of one search, mean of that many
// passes over all queries. The pause, in microseconds, comes before each search (its own cost, as
// measured in the same pass, is taken off): a processor that slept works slower at first, in
// process as behind a socket.

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "adapters/embedded/embedded_store.h"

namespace {

using namespace roost;

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) {
    std::cerr << result.error().ToString() << "\n";
    std::exit(1);
  }
  return std::move(result).value();
}

void MustBeOk(const Status& status) {
  if (!status.ok()) {
    std::cerr << status.error().ToString() << "\n";
    std::exit(1);
  }
}

double CpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void Pause(int microseconds) {
  if (microseconds > 0) {
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
  }
}

std::vector<float> ReadFloats(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), values.size() * sizeof(float), reinterpret_cast<char*>(values.data()));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: " << argv[0] << " STORE_FOLDER COLLECTION QUERIES.f32 TOP_K FIELD…\n";
    return 2;
  }
  auto metrics = MakeMetrics();
  auto files = MakePosixFileSystem();
  SystemClock clock;
  const auto store =
      Must(OpenEmbeddedStore({.folder = argv[1], .background = false}, *files, clock, *metrics));
  // One segment with its graph, as the server has it when it is at rest.
  MustBeOk(store->Compact({}, argv[2]));
  const CollectionDescription collection = Must(store->DescribeCollection({}, argv[2]));
  const size_t dimension = collection.schema.vectors.at(0).dimension;
  const std::vector<float> values = ReadFloats(argv[3]);
  std::vector<SearchRequest> requests;
  for (size_t at = 0; at + dimension <= values.size(); at += dimension) {
    SearchRequest& request = requests.emplace_back();
    request.collection = argv[2];
    request.vectors.push_back(Vector::Floats(std::span(values).subspan(at, dimension)));
    request.top_k = static_cast<uint32_t>(std::atoi(argv[4]));
    request.output = {.all_scalars = argc == 5, .fields = {argv + 5, argv + argc}};
  }
  const SearchResult first = Must(store->Search({}, requests.at(0)));
  for (const Hit& hit : first.hits.at(0)) {
    std::cout << std::get<std::string>(hit.record.key.key) << " ";
  }
  std::cout << std::endl;
  int rounds = 0;
  for (int pause_us = 0; std::cin >> rounds >> pause_us;) {
    double used = 0;
    for (int round = 0; round < rounds; ++round) {
      const double start = CpuSeconds();
      for (const SearchRequest& request : requests) {
        Pause(pause_us);
        Must(store->Search({}, request));
      }
      const double searched = CpuSeconds();
      for (size_t i = 0; i < requests.size(); ++i) {
        Pause(pause_us);
      }
      used += searched - start - (CpuSeconds() - searched);
    }
    std::cout << used / static_cast<double>(rounds) / static_cast<double>(requests.size()) * 1e6
              << std::endl;
  }
  return 0;
}
