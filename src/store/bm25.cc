#include "store/bm25.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace roost {

double Bm25Idf(uint64_t documents, uint64_t documents_with_word) {
  const auto all = static_cast<double>(documents);
  const auto with = static_cast<double>(documents_with_word);
  return std::log(1 + (all - with + 0.5) / (with + 0.5));
}

double Bm25Part(double idf, double term_frequency, double length, double average_length) {
  const double norm = average_length > 0 ? length / average_length : 0;
  return idf * term_frequency * (kBm25K1 + 1) /
         (term_frequency + kBm25K1 * (1 - kBm25B + kBm25B * norm));
}

void Bm25Statistics::Add(const std::vector<std::string>& words) {
  ++documents_;
  words_ += words.size();
  for (const auto& word : std::set<std::string>(words.begin(), words.end())) {
    ++documents_with_[word];
  }
}

double Bm25Statistics::Score(const std::vector<std::string>& query,
                             const std::vector<std::string>& text) const {
  const double average =
      documents_ == 0 ? 0 : static_cast<double>(words_) / static_cast<double>(documents_);
  double score = 0;
  for (const auto& word : std::set<std::string>(query.begin(), query.end())) {
    const auto frequency = std::count(text.begin(), text.end(), word);
    const auto with = documents_with_.find(word);
    if (frequency > 0 && with != documents_with_.end()) {
      score += Bm25Part(Bm25Idf(documents_, with->second), static_cast<double>(frequency),
                        static_cast<double>(text.size()), average);
    }
  }
  return score;
}

}  // namespace roost
