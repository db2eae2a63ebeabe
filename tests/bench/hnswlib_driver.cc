// hnswlib as a bare library, for tests/bench/embedded_bench.py, which compiles this file with
// -march=native against hnswlib's header. No records, nothing on disk: vectors and labels only.
//
// Usage: hnswlib_driver DATA_FOLDER DIMENSION THREADS

#include <cmath>
#include <cstdlib>
#include <memory>

#include "hnswlib/hnswlib.h"
#include "search_driver.h"

namespace {

using namespace roost_bench;

constexpr size_t kM = 16;
constexpr size_t kEfConstruction = 200;

/// Cosine is the inner product of vectors of length 1, as in hnswlib's own Python package.
void Normalise(std::vector<float>& values, size_t dimension) {
  for (size_t row = 0; row + dimension <= values.size(); row += dimension) {
    double sum = 0;
    for (size_t i = 0; i < dimension; ++i) {
      sum += static_cast<double>(values[row + i]) * values[row + i];
    }
    const auto factor = static_cast<float>(1 / std::sqrt(sum));
    for (size_t i = 0; i < dimension; ++i) {
      values[row + i] *= factor;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: hnswlib_driver DATA_FOLDER DIMENSION THREADS\n";
    return 2;
  }
  const std::string folder = argv[1];
  const size_t dimension = std::strtoul(argv[2], nullptr, 10);
  const size_t threads = std::strtoul(argv[3], nullptr, 10);
  std::vector<float> base = ReadFloats(folder + "/base.f32");
  std::vector<float> queries = ReadFloats(folder + "/queries.f32");
  Normalise(base, dimension);
  Normalise(queries, dimension);
  const size_t count = base.size() / dimension;
  hnswlib::InnerProductSpace space(dimension);
  hnswlib::HierarchicalNSW<float> graph(&space, count, kM, kEfConstruction);

  const auto ingest = [&] {
    const double cpu = CpuSeconds();
    const double start = Now();
    graph.addPoint(base.data(), 0);
    std::atomic<size_t> next = 1;
    {
      std::vector<std::jthread> workers;
      for (size_t t = 0; t < threads; ++t) {
        workers.emplace_back([&] {
          for (size_t i = next++; i < count; i = next++) {
            graph.addPoint(base.data() + i * dimension, i);
          }
        });
      }
    }
    return "\"seconds\": " + std::to_string(Now() - start) +
           ", \"cpu_seconds\": " + std::to_string(CpuSeconds() - cpu);
  };
  const auto search = [&](uint32_t query, uint32_t ef, int32_t* rows) {
    if (graph.ef_ != ef) {
      graph.setEf(ef);
    }
    auto found = graph.searchKnn(queries.data() + query * dimension, kTopK);
    for (; !found.empty(); found.pop()) {
      rows[found.size() - 1] = static_cast<int32_t>(found.top().second);
    }
  };
  return ServeCommands({.ingest = ingest, .search = search},
                       static_cast<uint32_t>(queries.size() / dimension));
}
