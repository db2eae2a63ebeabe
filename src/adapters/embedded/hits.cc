#include "adapters/embedded/hits.h"

#include <algorithm>
#include <utility>

#include "store/validate.h"

namespace roost::embedded {

Result<std::vector<Hit>> TakeHits(const Pin& pin, const std::vector<PinnedBlock>& blocks,
                                  const SearchRequest& request, Metric metric,
                                  std::vector<Candidate> candidates) {
  if (request.max_distance) {
    std::erase_if(candidates, [&](const Candidate& candidate) {
      return candidate.distance > *request.max_distance;
    });
  }
  const size_t wanted = std::min(candidates.size(), WantedHits(request));
  const auto key = [&](const Candidate& c) { return blocks[c.block].block.Key(c.slot); };
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(wanted),
                    candidates.end(), [&](const Candidate& a, const Candidate& b) {
                      return a.distance != b.distance ? a.distance < b.distance : key(a) < key(b);
                    });
  const Selection selection = SelectOutput(pin.schema(), request.output);
  std::vector<Hit> hits;
  for (size_t i = request.offset; i < wanted; ++i) {
    const PinnedBlock& block = blocks[candidates[i].block];
    TRY(VerifyFor(pin, block, selection));
    const double distance = candidates[i].distance;
    hits.push_back(
        {.record = Project(pin.schema(), request.output,
                           ReadRecord(pin.schema(), block.block, candidates[i].slot, selection)),
         .distance = distance,
         .score = ScoreOf(metric, distance)});
  }
  return hits;
}

}  // namespace roost::embedded
