#include "adapters/embedded/index/keyword_index.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "adapters/embedded/index/test_vectors.h"
#include "store/tokenizer.h"

namespace roost::embedded {
namespace {

/// Texts whose words are as unevenly common as in a language.
std::vector<std::string> Texts(size_t count, uint64_t seed) {
  SeededRandom random(seed);
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    const size_t words = 3 + random.Below(30);
    for (size_t w = 0; w < words; ++w) {
      text += "w" + std::to_string(static_cast<int>(std::exp(random.NextDouble() * 6))) + " ";
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

std::unique_ptr<SealedKeywordIndex> Sealed(const std::vector<std::string>& texts) {
  std::vector<KeywordText> parts;
  for (uint32_t slot = 0; slot < texts.size(); ++slot) {
    parts.push_back({.slot = slot, .text = texts[slot]});
  }
  return BuildKeywordIndex(parts);
}

std::vector<KeywordHit> Search(const KeywordIndex& index, const std::string& text,
                               KeywordLimits limits = {}, SlotSet live = {}) {
  const KeywordQuery query = ParseKeywordQuery(text);
  CorpusStatistics corpus;
  index.AddStatistics(query, live, corpus);
  const KeywordLeg leg{.index = &index, .corpus = &corpus};
  return SearchKeywords(query, std::span(&leg, 1), limits);
}

/// BM25 as the header's comment has it, by the letter. Slots that are not live do not exist.
std::vector<KeywordHit> Reference(const std::vector<std::string>& texts, const std::string& text,
                                  const TestSlots* live = nullptr) {
  std::vector<std::vector<std::string>> documents;
  double total = 0;
  double count = 0;
  for (uint32_t slot = 0; slot < texts.size(); ++slot) {
    const bool counted = live == nullptr || live->Has(slot);
    documents.push_back(counted ? Tokenize(texts[slot]) : std::vector<std::string>());
    total += static_cast<double>(documents.back().size());
    count += counted ? 1 : 0;
  }
  std::vector<KeywordHit> hits;
  std::vector<double> scores(texts.size());
  for (const std::string& word : Tokenize(text)) {
    double holding = 0;
    for (const auto& document : documents) {
      holding += std::count(document.begin(), document.end(), word) > 0 ? 1 : 0;
    }
    const double idf = std::log(1 + (count - holding + 0.5) / (holding + 0.5));
    for (size_t i = 0; i < documents.size(); ++i) {
      const auto f =
          static_cast<double>(std::count(documents[i].begin(), documents[i].end(), word));
      const double length = static_cast<double>(documents[i].size());
      scores[i] += idf * f * 2.2 / (f + 1.2 * (0.25 + 0.75 * length / (total / count)));
    }
  }
  for (uint32_t slot = 0; slot < texts.size(); ++slot) {
    if (scores[slot] > 0) {
      hits.push_back({.score = scores[slot], .slot = slot});
    }
  }
  std::sort(hits.begin(), hits.end(), [](const KeywordHit& a, const KeywordHit& b) {
    return a.score != b.score ? a.score > b.score : a.slot < b.slot;
  });
  return hits;
}

void ExpectSame(const std::vector<KeywordHit>& found, const std::vector<KeywordHit>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  std::map<uint32_t, double> scores;
  for (const KeywordHit& hit : expected) {
    scores[hit.slot] = hit.score;
  }
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i].score, expected[i].score, 1e-9);
    EXPECT_NEAR(found[i].score, scores[found[i].slot], 1e-9);
  }
}

TEST(KeywordIndex, ScoresByBm25) {
  const auto texts = Texts(500, 1);
  const auto index = Sealed(texts);
  for (const std::string text : {"w1", "w1 w2 w300", "w5 w5 w7", "nowhere", "", "nowhere W3"}) {
    ExpectSame(Search(*index, text, {.top_k = 1'000}), Reference(texts, text));
  }
}

TEST(KeywordIndex, KeepsTheBestWithinTheLimits) {
  const auto texts = Texts(500, 1);
  const auto index = Sealed(texts);
  const auto all = Search(*index, "w2 w9", {.top_k = 1'000});
  ASSERT_GT(all.size(), 50u);
  auto best = Search(*index, "w2 w9", {.top_k = 7});
  ASSERT_EQ(best.size(), 7u);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(best[i].slot, all[i].slot);
  }
  EXPECT_TRUE(Search(*index, "w2 w9", {.top_k = 0}).empty());

  TestSlots odd(500);
  for (uint32_t slot = 1; slot < 500; slot += 2) {
    odd.Add(slot);
  }
  for (const KeywordHit& hit : Search(*index, "w2 w9", {.top_k = 1'000, .allowed = odd.words})) {
    EXPECT_EQ(hit.slot % 2, 1u);
  }
  const double limit = -all[20].score;
  const auto near = Search(*index, "w2 w9", {.top_k = 1'000, .max_distance = limit});
  ASSERT_GE(near.size(), 21u);
  EXPECT_LE(-near.back().score, limit);
}

TEST(KeywordIndex, GivesTheSameScoresInOneSegmentAndInSeveral) {
  const auto texts = Texts(600, 2);
  const auto whole = Sealed(texts);
  const std::vector<std::string> halves[] = {{texts.begin(), texts.begin() + 250},
                                             {texts.begin() + 250, texts.end()}};
  const auto first = Sealed(halves[0]);
  const auto second = MakeMutableKeywordIndex();
  for (uint32_t slot = 0; slot < halves[1].size(); ++slot) {
    second->Append(slot, halves[1][slot]);
  }
  const KeywordQuery query = ParseKeywordQuery("w1 w4 w4 w200");
  CorpusStatistics corpus;
  first->AddStatistics(query, {}, corpus);
  second->AddStatistics(query, {}, corpus);
  std::map<uint32_t, double> scores;
  for (const auto& [index, base] :
       {std::pair<const KeywordIndex*, uint32_t>{first.get(), 0}, {second.get(), 250}}) {
    const KeywordLeg leg{.index = index, .corpus = &corpus};
    for (const KeywordHit& hit : SearchKeywords(query, std::span(&leg, 1), {.top_k = 1'000})) {
      scores[hit.slot + base] = hit.score;
    }
  }
  const auto expected = Search(*whole, "w1 w4 w4 w200", {.top_k = 1'000});
  ASSERT_EQ(scores.size(), expected.size());
  for (const KeywordHit& hit : expected) {
    EXPECT_EQ(scores[hit.slot], hit.score) << "bit for bit";
  }
}

TEST(KeywordIndex, CountsOnlyLiveDocuments) {
  const auto texts = Texts(300, 3);
  TestSlots live(300);
  for (uint32_t slot = 0; slot < 300; ++slot) {
    if (slot < 64 || slot % 5 != 0) {
      live.Add(slot);
    }
  }
  const auto sealed = Sealed(texts);
  const auto growing = MakeMutableKeywordIndex();
  for (uint32_t slot = 0; slot < 300; ++slot) {
    growing->Append(slot, texts[slot]);
  }
  const auto expected = Reference(texts, "w1 w6", &live);
  const KeywordLimits limits{.top_k = 1'000, .allowed = live.words};
  ExpectSame(Search(*sealed, "w1 w6", limits, live.words), expected);
  ExpectSame(Search(*growing, "w1 w6", limits, live.words), expected);
}

TEST(KeywordIndex, AddsTheScoresOfSeveralFields) {
  const auto titles = Sealed({"red fox", "blue", "fox fox"});
  const auto bodies = Sealed({"a fox runs", "the red sea", "nothing"});
  const KeywordQuery query = ParseKeywordQuery("fox red");
  CorpusStatistics title_corpus;
  CorpusStatistics body_corpus;
  titles->AddStatistics(query, {}, title_corpus);
  bodies->AddStatistics(query, {}, body_corpus);
  const KeywordLeg legs[] = {{titles.get(), &title_corpus}, {bodies.get(), &body_corpus}};
  std::map<uint32_t, double> sums;
  for (const KeywordLeg& leg : legs) {
    for (const KeywordHit& hit : SearchKeywords(query, std::span(&leg, 1), {})) {
      sums[hit.slot] += hit.score;
    }
  }
  const auto both = SearchKeywords(query, legs, {});
  ASSERT_EQ(both.size(), 3u);
  for (const KeywordHit& hit : both) {
    EXPECT_NEAR(hit.score, sums[hit.slot], 1e-12);
  }
}

TEST(KeywordIndex, LeavesOutSlotsWithoutText) {
  const KeywordText texts[] = {{.slot = 3, .text = "one word"}, {.slot = 200, .text = "word"}};
  const auto index = BuildKeywordIndex(texts);
  EXPECT_EQ(index->slots(), 201u);
  const auto hits = Search(*index, "word");
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].slot, 200u) << "the shorter text";
  CorpusStatistics corpus;
  index->AddStatistics(ParseKeywordQuery("word"), {}, corpus);
  EXPECT_EQ(corpus.documents, 2u);
  EXPECT_EQ(corpus.total_length, 3u);
  EXPECT_EQ(corpus.frequency, std::vector<uint64_t>{2});
}

TEST(KeywordIndex, IsTheSameWhicheverWayItWasMade) {
  const auto texts = Texts(400, 4);
  const auto growing = MakeMutableKeywordIndex();
  for (uint32_t slot = 0; slot < 400; ++slot) {
    growing->Append(slot, texts[slot]);
  }
  EXPECT_GT(growing->memory_bytes(), 10'000u);
  EXPECT_EQ(growing->Seal()->Serialize(), Sealed(texts)->Serialize());
  ExpectSame(Search(*growing, "w3 w8", {.top_k = 1'000}), Reference(texts, "w3 w8"));
}

TEST(KeywordIndex, SearchesBesideAppendsSeeWholeTexts) {
  const auto index = MakeMutableKeywordIndex();
  std::atomic<bool> done = false;
  std::atomic<uint32_t> appended = 0;
  std::atomic<int> torn = 0;
  std::jthread reader([&] {
    while (!done) {
      const uint32_t before = appended;
      // Every text has both words, so each is found by both or by none.
      const auto a = Search(*index, "left", {.top_k = 100'000}).size();
      const auto b = Search(*index, "right", {.top_k = 100'000}).size();
      torn += a < before || b < a ? 1 : 0;
    }
  });
  for (uint32_t slot = 0; slot < 2'000; ++slot) {
    index->Append(slot, "left x" + std::to_string(slot) + " right");
    appended = slot + 1;
  }
  done = true;
  reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(Search(*index, "right", {.top_k = 100'000}).size(), 2'000u);
}

/// A file's bytes where a mapping would put them.
struct Aligned {
  explicit Aligned(const std::string& file) : words((file.size() + 7) / 8), size(file.size()) {
    std::memcpy(words.data(), file.data(), size);
  }
  char* data() { return reinterpret_cast<char*>(words.data()); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(words)).first(size); }

  std::vector<uint64_t> words;
  size_t size;
};

TEST(KeywordFile, AnswersTheSameAfterARoundTrip) {
  const auto texts = Texts(400, 5);
  const auto built = Sealed(texts);
  const Aligned file(built->Serialize());
  const auto opened = OpenKeywordIndex(file.bytes());
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  ExpectSame(Search(**opened, "w2 w30", {.top_k = 1'000}), Reference(texts, "w2 w30"));
  EXPECT_EQ((*opened)->Serialize(), built->Serialize());
  EXPECT_EQ((*opened)->slots(), 400u);
  EXPECT_LT((*opened)->memory_bytes(), 100u);
}

TEST(KeywordFile, KeepsAnEmptyIndex) {
  const Aligned file(BuildKeywordIndex({})->Serialize());
  const auto opened = OpenKeywordIndex(file.bytes());
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(Search(**opened, "word").empty());
}

TEST(KeywordFile, NoticesEveryFlippedBitAndMissingEnd) {
  const std::string good = Sealed({"a b c", "b c d", "e"})->Serialize();
  Aligned file(good);
  ASSERT_TRUE(OpenKeywordIndex(file.bytes()).ok());
  for (size_t i = 0; i < good.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      file.data()[i] = static_cast<char>(good[i] ^ (1 << bit));
      ASSERT_EQ(OpenKeywordIndex(file.bytes()).code(), Code::kDataLoss) << i << "." << bit;
    }
    file.data()[i] = good[i];
    ASSERT_EQ(OpenKeywordIndex(file.bytes().first(i)).code(), Code::kDataLoss) << i;
  }
}

TEST(KeywordQuery, CountsRepeatsAndIsBounded) {
  const KeywordQuery query = ParseKeywordQuery("Fox, fox and FOX and owl");
  EXPECT_EQ(query.words, (std::vector<std::string>{"fox", "and", "owl"}));
  EXPECT_EQ(query.repeats, (std::vector<uint32_t>{3, 2, 1}));
  std::string many;
  for (int i = 0; i < 5'000; ++i) {
    many += "w" + std::to_string(i) + " ";
  }
  EXPECT_EQ(ParseKeywordQuery(many).words.size(), kMaxQueryWords);
}

}  // namespace
}  // namespace roost::embedded
