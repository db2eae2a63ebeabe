// The embedded store through its public interface, for tests/bench/embedded_bench.py.
//
// Usage: roost_embedded_bench DATA_FOLDER STORE_FOLDER THREADS
// DATA_FOLDER holds schema.json, records.jsonl, base.f32 (the records' vectors) and queries.f32. A
// STORE_FOLDER that has the collection already is opened and timed: the first line of output tells.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <unordered_map>

#include "adapters/embedded/embedded_store.h"
#include "base/json.h"
#include "base/log.h"
#include "search_driver.h"
#include "store/json_value.h"
#include "store/schema_json.h"

namespace {

using namespace roost;
using namespace roost_bench;

constexpr size_t kBatch = 500;

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) {
    std::cerr << result.error().ToString() << "\n";
    std::exit(1);
  }
  return std::move(result).value();
}
void Must(const Status& status) {
  if (!status.ok()) {
    std::cerr << status.error().ToString() << "\n";
    std::exit(1);
  }
}

std::string Line(std::ifstream& file) {
  std::string line;
  std::getline(file, line);
  return line;
}

class Bench {
 public:
  Bench(std::string data, std::string store, uint32_t threads)
      : data_(std::move(data)), metrics_(MakeMetrics()), file_system_(MakePosixFileSystem()) {
    options_.folder = std::move(store);
    options_.build_threads = threads;
    std::ifstream file(data_ + "/schema.json");
    schema_ = Must(SchemaFromJson(Line(file)));
    dimension_ = schema_.vectors[0].dimension;
    ReadKeys();
    const std::vector<float> queries = ReadFloats(data_ + "/queries.f32");
    for (size_t at = 0; at + dimension_ <= queries.size(); at += dimension_) {
      queries_.push_back(Vector::Floats(std::span(queries).subspan(at, dimension_)));
    }
  }

  /// Prints how long it took until the store was open, until its graphs were, and until the first
  /// search was answered.
  void Open() {
    const double start = Now();
    store_ = Must(OpenEmbeddedStore(options_, *file_system_, clock_, *metrics_));
    const double opened = Now() - start;
    const bool there = !Must(store_->ListCollections({})).empty();
    while (there && !Must(store_->DescribeCollection({}, schema_.name)).index_ready) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const double ready = Now() - start;
    int32_t rows[kTopK];
    if (there) {
      Search(0, 0, rows);
    }
    std::printf("{\"open_s\": %.4f, \"index_ready_s\": %.4f, \"first_search_s\": %.4f}\n", opened,
                ready, Now() - start);
    std::fflush(stdout);
  }

  /// One writer; each batch waits until it is on disk. Then the segments become one, whose graph
  /// holds every record.
  std::string Ingest() {
    std::vector<WriteRequest> batches = ReadBatches();
    Must(store_->CreateCollection({}, {.schema = schema_}));
    const double cpu = CpuSeconds();
    const double start = Now();
    uint64_t written = 0;
    for (WriteRequest& batch : batches) {
      written += Must(store_->Upsert({}, batch)).written;
      batch = {};
    }
    const double acknowledged = Now() - start;
    Must(store_->Compact({}, schema_.name));
    const double seconds = Now() - start;
    const EmbeddedStats stats = store_->stats();
    if (written != key_rows_.size() || stats.records != written || stats.segments != 1 ||
        !Must(store_->DescribeCollection({}, schema_.name)).index_ready) {
      std::cerr << "not every record is in one segment with a graph\n";
      std::exit(1);
    }
    char text[256];
    std::snprintf(text, sizeof(text),
                  "\"seconds\": %.4f, \"acknowledged_s\": %.4f, \"cpu_seconds\": %.4f, "
                  "\"bytes_on_disk\": %llu",
                  seconds, acknowledged, CpuSeconds() - cpu,
                  static_cast<unsigned long long>(stats.bytes_on_disk));
    return text;
  }

  void Search(uint32_t query, uint32_t ef, int32_t* rows) {
    const auto result = Must(store_->Search({}, {.collection = schema_.name,
                                                 .vectors = {queries_[query]},
                                                 .top_k = kTopK,
                                                 .ef = ef,
                                                 .output = {.all_scalars = false}}));
    size_t i = 0;
    for (const Hit& hit : result.hits[0]) {
      rows[i++] = key_rows_.find(std::get<std::string>(hit.record.key.key))->second;
    }
  }

  uint32_t queries() const { return static_cast<uint32_t>(queries_.size()); }

 private:
  void ReadKeys() {
    std::ifstream file(data_ + "/records.jsonl");
    for (std::string line; std::getline(file, line);) {
      const Value key = JsonAt(Must(CanonicalJson(line)), {schema_.key_field});
      key_rows_.emplace(std::get<std::string>(key), static_cast<int32_t>(key_rows_.size()));
    }
  }

  std::vector<WriteRequest> ReadBatches() const {
    const std::vector<float> base = ReadFloats(data_ + "/base.f32");
    std::vector<WriteRequest> batches;
    std::ifstream file(data_ + "/records.jsonl");
    size_t row = 0;
    for (std::string line; std::getline(file, line); ++row) {
      Record record;
      for (const auto& [name, value] : JsonMembers(Must(CanonicalJson(line)))) {
        if (name == schema_.key_field) {
          record.key.key = std::get<std::string>(JsonToValue(value));
        } else {
          record.fields.emplace(name, JsonToValue(value));
        }
      }
      record.vectors.emplace(schema_.vectors[0].name,
                             Vector::Floats(std::span(base).subspan(row * dimension_, dimension_)));
      if (row % kBatch == 0) {
        batches.push_back({.collection = schema_.name});
      }
      batches.back().records.push_back(std::move(record));
    }
    return batches;
  }

  const std::string data_;
  EmbeddedOptions options_;
  CollectionSchema schema_;
  size_t dimension_ = 0;
  std::unordered_map<std::string, int32_t> key_rows_;
  std::vector<Vector> queries_;
  SystemClock clock_;
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<FileSystem> file_system_;
  std::unique_ptr<EmbeddedStore> store_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: roost_embedded_bench DATA_FOLDER STORE_FOLDER THREADS\n";
    return 2;
  }
  Must(InitLog({.level = LogLevel::kWarning}));
  Bench bench(argv[1], argv[2], static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)));
  bench.Open();
  return ServeCommands({.ingest = [&] { return bench.Ingest(); },
                        .search = [&](uint32_t query, uint32_t ef,
                                      int32_t* rows) { bench.Search(query, ef, rows); }},
                       bench.queries());
}
