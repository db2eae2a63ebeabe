#include "router/shadow.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace roost {
namespace {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

std::vector<std::vector<RecordKey>> KeysOf(const SearchResult& result) {
  std::vector<std::vector<RecordKey>> keys;
  for (const auto& hits : result.hits) {
    auto& list = keys.emplace_back();
    for (const Hit& hit : hits) {
      list.push_back(hit.record.key);
    }
    std::sort(list.begin(), list.end());
  }
  return keys;
}

/// Share of `expected` that `found` has, mean over the queries; 1 where nothing is expected.
double Share(const std::vector<std::vector<RecordKey>>& expected,
             const std::vector<std::vector<RecordKey>>& found) {
  if (expected.empty()) {
    return 1;
  }
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].empty()) {
      sum += 1;
      continue;
    }
    std::vector<RecordKey> common;
    if (i < found.size()) {
      std::set_intersection(expected[i].begin(), expected[i].end(), found[i].begin(),
                            found[i].end(), std::back_inserter(common));
    }
    sum += static_cast<double>(common.size()) / static_cast<double>(expected[i].size());
  }
  return sum / static_cast<double>(expected.size());
}

}  // namespace

ShadowReader::ShadowReader(ShadowOptions options, Random& random, Metrics& metrics)
    : options_(options),
      random_(random),
      reads_(metrics.GetCounter("roost_router_shadow_reads_total",
                                "Searches repeated on the other store and compared")),
      dropped_(metrics.GetCounter("roost_router_shadow_dropped_total",
                                  "Shadow reads dropped because the pool was full")),
      errors_(metrics.GetCounter("roost_router_shadow_errors_total",
                                 "Shadow reads that the other store failed")),
      executor_({.name = "shadow", .max_threads = options.threads, .max_queue = options.queue}) {}

bool ShadowReader::Chosen(double percent) {
  return percent > 0 && random_.NextDouble() * 100 < percent;
}

void ShadowReader::Post(VectorStore& authority, VectorStore& other, const SearchRequest& request,
                        const Answer& answer) {
  auto job = std::make_shared<Job>(Job{.authority = &authority,
                                       .other = &other,
                                       .request = request,
                                       .answer = KeysOf(answer.result),
                                       .from_authority = answer.from_authority,
                                       .seconds = answer.seconds,
                                       .exact = Chosen(options_.exact_percent)});
  job->request.output = {.all_scalars = false};
  if (!executor_.Submit([this, job] { Compare(*job); }).ok()) {
    dropped_.Increment();
    std::lock_guard lock(mutex_);
    ++sums_[request.collection].dropped;
  }
}

void ShadowReader::Compare(const Job& job) {
  RequestContext context{.principal = "roost-shadow"};
  context.deadline = Deadline::After(options_.timeout);
  const auto started = std::chrono::steady_clock::now();
  VectorStore& store = job.from_authority ? *job.other : *job.authority;
  const Result<SearchResult> result = store.Search(context, job.request);
  const double seconds = Seconds(started);
  if (!result.ok()) {
    errors_.Increment();
    std::lock_guard lock(mutex_);
    ++sums_[job.request.collection].errors;
    return;
  }
  const Keys second = KeysOf(*result);
  const Keys& by_authority = job.from_authority ? job.answer : second;
  const Keys& by_other = job.from_authority ? second : job.answer;
  double recall_authority = 0;
  double recall_other = 0;
  bool exact = job.exact && !job.request.exact && !job.request.vectors.empty();
  if (exact) {
    SearchRequest request = job.request;
    request.exact = true;
    const Result<SearchResult> truth = job.authority->Search(context, request);
    exact = truth.ok();
    if (exact) {
      const Keys expected = KeysOf(*truth);
      recall_authority = Share(expected, by_authority);
      recall_other = Share(expected, by_other);
    }
  }
  reads_.Increment();
  std::lock_guard lock(mutex_);
  Sums& sums = sums_[job.request.collection];
  ++sums.reads;
  sums.overlap += Share(by_authority, by_other);
  (job.from_authority ? sums.seconds_authority : sums.seconds_other) += job.seconds;
  (job.from_authority ? sums.seconds_other : sums.seconds_authority) += seconds;
  if (exact) {
    const double difference = recall_other - recall_authority;
    ++sums.exact;
    sums.recall_authority += recall_authority;
    sums.recall_other += recall_other;
    sums.difference += difference;
    sums.difference_squares += difference * difference;
  }
}

ShadowReport ShadowReader::Report(const std::string& collection) const {
  std::lock_guard lock(mutex_);
  const auto found = sums_.find(collection);
  if (found == sums_.end()) {
    return {};
  }
  const Sums& sums = found->second;
  ShadowReport report{.reads = sums.reads,
                      .dropped = sums.dropped,
                      .errors = sums.errors,
                      .exact_reads = sums.exact};
  if (sums.reads > 0) {
    const auto reads = static_cast<double>(sums.reads);
    report.overlap = sums.overlap / reads;
    report.seconds_authority = sums.seconds_authority / reads;
    report.seconds_other = sums.seconds_other / reads;
  }
  if (sums.exact > 0) {
    report.recall_authority = sums.recall_authority / static_cast<double>(sums.exact);
    report.recall_other = sums.recall_other / static_cast<double>(sums.exact);
  }
  if (sums.exact > 1) {
    const auto n = static_cast<double>(sums.exact);
    const double mean = sums.difference / n;
    const double variance = std::max(0.0, (sums.difference_squares - n * mean * mean) / (n - 1));
    report.recall_difference_low = mean - 1.96 * std::sqrt(variance / n);
  }
  return report;
}

void ShadowReader::Reset(const std::string& collection) {
  std::lock_guard lock(mutex_);
  sums_.erase(collection);
}

}  // namespace roost
