#include "adapters/weaviate/weaviate_names.h"

#include <algorithm>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace roost {
namespace {

std::string RandomKey(Random& random) {
  constexpr std::string_view kLetters("abz019-_/.:AZ~ \xC3\xBC\x00\x01\x7F\xFF", 21);
  std::string key;
  for (uint64_t i = 1 + random.Below(16); i > 0; --i) {
    key += random.Below(3) == 0 ? static_cast<char>(random.Below(256))
                                : kLetters[random.Below(kLetters.size())];
  }
  return key;
}

TEST(WeaviateNames, UuidsOfIntegerKeysAreInTheOrderOfTheKeys) {
  std::vector<int64_t> keys = {std::numeric_limits<int64_t>::min(), -1, 0, 1, 15, 16, 17,
                               std::numeric_limits<int64_t>::max()};
  SeededRandom random(1);
  for (int i = 0; i < 2'000; ++i) {
    keys.push_back(static_cast<int64_t>(random.Next() >> random.Below(60)));
    keys.push_back(-keys.back());
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  for (size_t i = 1; i < keys.size(); ++i) {
    ASSERT_LT(ObjectIdOf(Key(keys[i - 1])), ObjectIdOf(Key(keys[i]))) << keys[i];
    ASSERT_EQ(GroupOf(Key(keys[i])).first, GroupOf(Key(keys[i])).second);
  }
}

TEST(WeaviateNames, UuidsOfStringKeysAreInTheOrderOfTheKeysFromGroupToGroup) {
  SeededRandom random(2);
  std::vector<std::string> keys;
  for (int i = 0; i < 5'000; ++i) {
    keys.push_back(RandomKey(random));
    keys.push_back(keys.back() + RandomKey(random));
    keys.push_back(keys.back().substr(0, 1 + random.Below(keys.back().size())));
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::set<ObjectId> ids;
  for (size_t i = 0; i < keys.size(); ++i) {
    const ObjectId id = ObjectIdOf(Key(keys[i]));
    const auto [first, last] = GroupOf(Key(keys[i]));
    ASSERT_TRUE(first <= id && id <= last);
    ASSERT_TRUE(SameGroup(first, last));
    ASSERT_TRUE(ids.insert(id).second) << "two keys with one UUID";
    if (i > 0) {
      const ObjectId before = ObjectIdOf(Key(keys[i - 1]));
      ASSERT_TRUE(before < id || SameGroup(before, id)) << keys[i - 1] << " and " << keys[i];
    }
  }
}

TEST(WeaviateNames, PrefixRangesHoldTheKeysThatBeginSo) {
  SeededRandom random(3);
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = RandomKey(random) + RandomKey(random);
    for (size_t length = 1; length <= key.size(); ++length) {
      const auto [first, last] = PrefixRange(key.substr(0, length));
      const ObjectId id = ObjectIdOf(Key(key));
      ASSERT_TRUE(first <= id && id <= last) << length << " of " << key;
    }
  }
  EXPECT_LT(PrefixRange("book-1").second, PrefixRange("book-2").first);
}

TEST(WeaviateNames, UsualKeysHaveSmallGroups) {
  std::set<uint64_t> groups;
  for (int i = 0; i < 100'000; ++i) {
    groups.insert(ObjectIdOf(Key("book-" + std::to_string(100'000 + i))).high);
  }
  EXPECT_EQ(groups.size(), 100'000u);
}

// The UUIDs are a file format.
TEST(WeaviateNames, UuidsNeverChange) {
  EXPECT_EQ(ObjectIdOf(Key(int64_t{0})).ToString(), "80000000-0000-8000-8000-000000000000");
  EXPECT_EQ(ObjectIdOf(Key(int64_t{-1})).ToString(), "7fffffff-ffff-8fff-bc00-000000000000");
  EXPECT_EQ(ClassNameOf("books").substr(0, 12), "Roost_books_");
  const ObjectId id = ObjectIdOf(Key(std::string("book-000001")));
  EXPECT_EQ(ParseObjectId(id.ToString()), id);
}

TEST(WeaviateNames, CursorStartsBeforeAnUuid) {
  EXPECT_EQ((ObjectId{5, 0}.Before()), (ObjectId{4, ~uint64_t{0}}));
  EXPECT_EQ((ObjectId{5, 7}.Before()), (ObjectId{5, 6}));
}

TEST(WeaviateNames, BucketsAreOfEqualSize) {
  std::vector<int> sizes(kObjectBuckets);
  for (int64_t i = 0; i < 102'400; ++i) {
    ++sizes[static_cast<size_t>(ObjectIdOf(Key(i)).Bucket())];
  }
  EXPECT_GT(*std::min_element(sizes.begin(), sizes.end()), 50);
  EXPECT_LT(*std::max_element(sizes.begin(), sizes.end()), 160);
}

TEST(WeaviateNames, CollectionsHaveClassesOfTheirOwn) {
  std::set<std::string> names;
  for (const char* name : {"books", "Books", "BOOKS", "shop.books", "shop_books"}) {
    names.insert(ClassNameOf(name));
  }
  EXPECT_EQ(names.size(), 5u);
  const std::string longest = ClassNameOf(std::string(511, 'x'));
  EXPECT_LE(longest.size(), 200u);
}

TEST(WeaviateNames, TenantsComeBackOrAreHashed) {
  for (const std::string tenant : {"acme", "Acme-1", "a_b", "größe' or '1'='1", "_h", "a/b\n"}) {
    const std::string name = TenantNameOf(tenant);
    EXPECT_THAT(name, testing::MatchesRegex("[A-Za-z0-9_-]+"));
    EXPECT_LE(name.size(), 64u);
    EXPECT_EQ(TenantFromName(name), tenant);
  }
  const std::string hashed = TenantNameOf(std::string(255, 't'));
  EXPECT_LE(hashed.size(), 64u);
  EXPECT_EQ(TenantFromName(hashed), std::nullopt);
  EXPECT_NE(hashed, TenantNameOf(std::string(254, 't')));
  EXPECT_EQ(TenantFromName("_zz"), std::nullopt);
}

}  // namespace
}  // namespace roost
