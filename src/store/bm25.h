#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace roost {

/// BM25 (Robertson et al.): Σ over the query's different words of idf · tf · (k1 + 1) /
/// (tf + k1 · (1 − b + b · length / average length)), idf = ln(1 + (N − n + 0.5) / (n + 0.5)).
inline constexpr double kBm25K1 = 1.2;
inline constexpr double kBm25B = 0.75;

double Bm25Idf(uint64_t documents, uint64_t documents_with_word);
/// One word's part of a document's score.
double Bm25Part(double idf, double term_frequency, double length, double average_length);

/// What BM25 needs to know about all texts of one field.
class Bm25Statistics {
 public:
  void Add(const std::vector<std::string>& words);
  /// The score of one of the texts; 0 where it holds none of the words.
  double Score(const std::vector<std::string>& query, const std::vector<std::string>& text) const;

 private:
  uint64_t documents_ = 0;
  uint64_t words_ = 0;
  std::map<std::string, uint64_t, std::less<>> documents_with_;
};

}  // namespace roost
