#include "router/shadow.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/failpoint.h"

namespace roost {
namespace {

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

using Keys = std::vector<std::vector<RecordKey>>;

Keys KeysOf(const SearchResult& result) {
  Keys keys;
  for (const auto& hits : result.hits) {
    auto& list = keys.emplace_back();
    for (const Hit& hit : hits) {
      list.push_back(hit.record.key);
    }
    std::sort(list.begin(), list.end());
  }
  return keys;
}

/// The same records at the same distances.
bool SameHits(const SearchResult& a, const SearchResult& b) {
  return std::equal(a.hits.begin(), a.hits.end(), b.hits.begin(), b.hits.end(),
                    [](const std::vector<Hit>& x, const std::vector<Hit>& y) {
                      return std::equal(
                          x.begin(), x.end(), y.begin(), y.end(), [](const Hit& i, const Hit& j) {
                            return i.record.key == j.record.key && i.distance == j.distance;
                          });
                    });
}

/// Of each query: the keys of `expected` that `found` lacks.
Keys Without(const Keys& expected, const Keys& found) {
  Keys missed(expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::vector<RecordKey> none;
    const std::vector<RecordKey>& has = i < found.size() ? found[i] : none;
    std::set_difference(expected[i].begin(), expected[i].end(), has.begin(), has.end(),
                        std::back_inserter(missed[i]));
  }
  return missed;
}

/// Of each query: the keys that are in both.
Keys Common(const Keys& a, const Keys& b) { return Without(a, Without(a, b)); }

bool Empty(const Keys& keys) {
  return std::all_of(keys.begin(), keys.end(), [](const auto& list) { return list.empty(); });
}

/// Share of `expected` that is not among `missed`, which is a part of it; mean over the queries, 1
/// where nothing is expected.
double ShareFound(const Keys& expected, const Keys& missed) {
  if (expected.empty()) {
    return 1;
  }
  double sum = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    sum += expected[i].empty() ? 1
                               : 1 - static_cast<double>(missed[i].size()) /
                                         static_cast<double>(expected[i].size());
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
    const Result<std::optional<Missed>> judged = MissedTwice(context, job, by_authority, by_other);
    exact = judged.ok() && judged->has_value();
    if (exact) {
      const Missed& missed = **judged;
      const Keys expected = KeysOf(missed.truth);
      recall_authority = ShareFound(expected, missed.by_authority);
      recall_other = ShareFound(expected, missed.by_other);
    }
  }
  reads_.Increment();
  std::lock_guard lock(mutex_);
  Sums& sums = sums_[job.request.collection];
  ++sums.reads;
  sums.overlap += ShareFound(by_authority, Without(by_authority, by_other));
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

/// What the two answers lack of the authority's exact answer of now.
Result<ShadowReader::Missed> ShadowReader::CompareExactly(const RequestContext& context,
                                                          const Job& job, const Keys& by_authority,
                                                          const Keys& by_other) {
  SearchRequest request = job.request;
  request.exact = true;
  SearchResult truth = TRY(job.authority->Search(context, request));
  const Keys expected = KeysOf(truth);
  return Missed{.by_authority = Without(expected, by_authority),
                .by_other = Without(expected, by_other),
                .truth = std::move(truth)};
}

/// The same of two comparisons, some time apart: only what both miss is missed, and nothing is
/// known when the exact answer changed between them. Writes between the searches that are compared,
/// of which a small collection may see some for every key, are so taken out of the account.
Result<std::optional<ShadowReader::Missed>> ShadowReader::MissedTwice(const RequestContext& context,
                                                                      const Job& job,
                                                                      const Keys& by_authority,
                                                                      const Keys& by_other) const {
  Missed first = TRY(CompareExactly(context, job, by_authority, by_other));
  if (Empty(first.by_authority) && Empty(first.by_other)) {
    return first;
  }
  FAILPOINT("shadow_settles");
  SystemClock().SleepUntil(SystemClock().Now() + options_.settle, context.stop);
  const SearchResult authority = TRY(job.authority->Search(context, job.request));
  const SearchResult other = TRY(job.other->Search(context, job.request));
  const Missed second = TRY(CompareExactly(context, job, KeysOf(authority), KeysOf(other)));
  if (!SameHits(first.truth, second.truth)) {
    return std::optional<Missed>();
  }
  first.by_authority = Common(first.by_authority, second.by_authority);
  first.by_other = Common(first.by_other, second.by_other);
  return first;
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
