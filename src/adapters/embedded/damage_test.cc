// A flipped bit in any file: an error that names the file, or a rebuild, never a wrong answer.

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/segment_file.h"
#include "adapters/embedded/test_workload.h"

namespace roost::embedded {
namespace {

using Files = std::map<std::string, std::string>;

/// The folder after the workload and a kill: every kind of file, and writes that are only in the
/// log.
Files FilesAfterKill(Model& model) {
  TestDisk disk;
  auto store = disk.MustOpen();
  for (const Step& step : ScriptedWorkload()) {
    const Status status = step.run(*store);
    EXPECT_TRUE(status.ok()) << step.name;
    step.apply(model);
  }
  LosesNothing random;
  disk.PowerCut(store, random);
  Files files;
  for (const std::string& name : disk.Names("")) {
    files[name] = disk.files().ReadAll("db/" + name).value();
  }
  return files;
}

std::vector<std::string> NamesWith(const Files& files, const std::string& part) {
  std::vector<std::string> names;
  for (const auto& [name, content] : files) {
    if (name.find(part) != std::string::npos) {
      names.push_back(name);
    }
  }
  return names;
}

void Restore(TestDisk& disk, const Files& files) {
  ROOST_ASSERT_OK(disk.files().CreateDirectories("db"));
  for (const auto& [name, content] : files) {
    ROOST_ASSERT_OK(disk.files().WriteAtomically("db/" + name, content));
  }
}

std::vector<std::string> KeysOf(const SearchResult& result) {
  std::vector<std::string> keys;
  for (const Hit& hit : result.hits.at(0)) {
    keys.push_back(ToString(hit.record.key) + " " + std::to_string(hit.distance));
  }
  return keys;
}

/// What the searches of a collection find: nearest vectors and words.
Result<std::vector<std::string>> Found(EmbeddedStore& store, const std::string& collection) {
  SearchRequest request{.collection = collection, .field = "v", .top_k = 50};
  request.vectors = {Vector::Floats(std::vector<float>{0.5f, -0.25f, 0.125f, 0})};
  const SearchResult near = TRY(store.Search({}, request));
  request = {.collection = collection, .field = "body", .texts = {"red green"}, .top_k = 50};
  const SearchResult words = TRY(store.Search({}, request));
  std::vector<std::string> found = KeysOf(near);
  std::ranges::move(KeysOf(words), std::back_inserter(found));
  return found;
}

using Answers = std::map<std::string, std::vector<std::string>>;

Answers AnswersOf(const Files& files, const Model& model) {
  TestDisk disk;
  Restore(disk, files);
  const auto store = disk.MustOpen();
  EXPECT_TRUE(SameModel(ReadModel(*store), model));
  EXPECT_TRUE(store->WaitIdle({}).ok());
  Answers answers;
  for (const auto& [name, records] : model) {
    answers[name] = Found(*store, name).value();
  }
  return answers;
}

testing::AssertionResult IsDamageOf(const Error& error, const std::string& name) {
  if (error.code == Code::kDataLoss && error.message.find(name) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "not an error about " << name << ": " << error.ToString();
}

/// Every collection answers right or says that the file is damaged. Returns how many said so.
int ExpectRightOrRefused(EmbeddedStore& store, const std::string& name, const Model& model,
                         const Answers& answers) {
  int refused = 0;
  for (const auto& [collection, records] : model) {
    const auto page = store.Scan({}, {.collection = collection, .limit = 1});
    const auto found = Found(store, collection);
    const auto all = store.Scan({}, {.collection = collection, .limit = 1'000});
    if (!all.ok() || !found.ok() || !page.ok()) {
      EXPECT_TRUE(IsDamageOf(!all.ok()     ? all.error()
                             : !found.ok() ? found.error()
                                           : page.error(),
                             name));
      ++refused;
      continue;
    }
    EXPECT_TRUE(SameRecords(ReadAllRecords(store, collection), records));
    EXPECT_EQ(*found, answers.at(collection));
  }
  return refused;
}

class EmbeddedDamage : public testing::Test {
 protected:
  EmbeddedDamage() : files_(FilesAfterKill(model_)), answers_(AnswersOf(files_, model_)) {}

  /// Flips bits all over the file, one at a time, and opens. Returns how many were refused.
  int FlipBits(const std::string& name, size_t stride) {
    int refused = 0;
    const std::string& content = files_.at(name);
    for (size_t byte = 0; byte < content.size(); byte += stride) {
      SCOPED_TRACE(name + " byte " + std::to_string(byte));
      Files damaged = files_;
      damaged[name][byte] = static_cast<char>(content[byte] ^ (1 << byte % 8));
      TestDisk disk;
      Restore(disk, damaged);
      const auto store = disk.Open();
      if (!store.ok()) {
        EXPECT_TRUE(IsDamageOf(store.error(), name));
        ++refused;
      } else {
        static_cast<void>((*store)->WaitIdle({}));
        refused += ExpectRightOrRefused(**store, name, model_, answers_) > 0 ? 1 : 0;
      }
      if (HasFailure()) {
        return refused;
      }
    }
    return refused;
  }

  Model model_;
  const Files files_;
  const Answers answers_;
};

TEST_F(EmbeddedDamage, OfTheManifestIsRefused) {
  EXPECT_EQ(static_cast<size_t>(FlipBits("MANIFEST", 7)), (files_.at("MANIFEST").size() + 6) / 7);
}

TEST_F(EmbeddedDamage, OfTheLogIsRefusedUpToTheLastAcknowledgedByte) {
  const auto names = NamesWith(files_, "wal-");
  ASSERT_FALSE(names.empty());
  size_t bytes = 0;
  int refused = 0;
  for (const std::string& name : names) {
    const size_t stride = files_.at(name).size() > 1'000 ? 29 : 5;
    refused += FlipBits(name, stride);
    bytes += (files_.at(name).size() + stride - 1) / stride;
  }
  // All but the mark at the end, which says nothing that was acknowledged.
  EXPECT_GT(refused, 20);
  EXPECT_GE(static_cast<size_t>(refused) + 24 / 5 + 1, bytes);
}

/// Whether a byte of a segment file means something; what does not is padding.
bool IsUsed(const SegmentHeader& header, uint64_t byte) {
  const uint64_t table = header.file_bytes - header.sections.size() * 32;
  return byte < 64 || byte >= table ||
         std::ranges::any_of(
             header.sections,
             [&](const Section& section) {
               return byte >= section.offset && byte - section.offset < section.length;
             });
}

TEST_F(EmbeddedDamage, OfASegmentIsRefusedWhereverItIsNotPadding) {
  const auto names = NamesWith(files_, ".dat");
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    const std::string& content = files_.at(name);
    const auto header = ReadSegmentHeader(std::as_bytes(std::span(content)), name);
    ROOST_ASSERT_OK(header);
    const size_t stride = content.size() / 60 + 1;
    int used = 0;
    for (size_t byte = 0; byte < content.size(); byte += stride) {
      used += IsUsed(*header, byte) ? 1 : 0;
    }
    EXPECT_GT(used, 20);
    EXPECT_EQ(FlipBits(name, stride), used) << name;
  }
}

TEST_F(EmbeddedDamage, OfADeletesFileIsRefused) {
  const auto names = NamesWith(files_, ".del");
  ASSERT_FALSE(names.empty());
  for (const std::string& name : names) {
    EXPECT_EQ(static_cast<size_t>(FlipBits(name, 3)), (files_.at(name).size() + 2) / 3);
  }
}

TEST_F(EmbeddedDamage, OfAnIndexIsBuiltAgain) {
  ASSERT_FALSE(NamesWith(files_, "-v").empty()) << "a graph";
  ASSERT_FALSE(NamesWith(files_, "-t").empty()) << "a keyword index";
  for (const std::string& name : NamesWith(files_, ".idx")) {
    EXPECT_EQ(FlipBits(name, files_.at(name).size() / 40 + 1), 0);
  }
}

TEST_F(EmbeddedDamage, OfFilesCutShortIsRefusedOrRebuilt) {
  for (const auto& [name, content] : files_) {
    if (name == "LOCK" || content.empty()) {
      continue;
    }
    SCOPED_TRACE(name);
    Files damaged = files_;
    damaged[name].resize(content.size() / 2);
    TestDisk disk;
    Restore(disk, damaged);
    const auto store = disk.Open();
    if (!store.ok()) {
      EXPECT_TRUE(IsDamageOf(store.error(), name));
    } else if (!name.starts_with("wal-")) {  // A log that ends early looks like one that was torn.
      static_cast<void>(ExpectRightOrRefused(**store, name, model_, answers_));
    }
  }
}

TEST_F(EmbeddedDamage, OfASegmentThatIsMissingIsRefused) {
  for (const std::string& name : NamesWith(files_, ".dat")) {
    Files damaged = files_;
    damaged.erase(name);
    TestDisk disk;
    Restore(disk, damaged);
    const auto store = disk.MustOpen();
    EXPECT_EQ(ExpectRightOrRefused(*store, name, model_, answers_), 1);
  }
}

}  // namespace
}  // namespace roost::embedded
