#include <cstdio>

#include "ledger_model.h"
using namespace roost;
using namespace roost::simulation;
int main(int argc, char**) {
  for (auto& c : TwoWriterConfigs()) {
    auto r = CheckLedgerModel(c);
    printf("%lu states %lu ends viol '%s'\n", r.states, r.ends, r.violation.c_str());
    for (auto& t : r.trace) printf("   %s\n", t.c_str());
  }
  for (int m = 1; m <= 10; m++) {
    int best = 999;
    SearchResult br;
    for (auto c : TwoWriterConfigs()) {
      c.mutation = (LedgerMutation)m;
      auto r = CheckLedgerModel(c);
      if (!r.violation.empty() && (int)r.trace.size() < best) {
        best = r.trace.size();
        br = r;
      }
    }
    printf("%s: %s after %d steps\n", LedgerMutationName((LedgerMutation)m).data(),
           br.violation.c_str(), best);
    for (auto& t : br.trace) printf("   %s\n", t.c_str());
  }
  if (argc > 1)
    for (auto& c : ThreeWriterConfigs()) {
      auto r = CheckLedgerModel(c);
      printf("%lu states %lu ends viol '%s'\n", r.states, r.ends, r.violation.c_str());
    }
}
