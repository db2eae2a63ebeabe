#include "gateway/records/record_service.h"

#include "gateway/records/record_testing.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RecordServiceTest : public RecordTest {
 protected:
  using RecordTest::RecordTest;

  std::string UpsertRefusal(std::string type, std::vector<Record> records) {
    const auto result = service_->UpsertRecords(
        context_, acme_, {.type = std::move(type), .records = std::move(records)});
    return result.ok() ? "taken" : result.error().message;
  }
  uint64_t CountAll() { return *gateway_->Count(context_, {.collection = "records"}); }
};

TEST_F(RecordServiceTest, ARecordIsOneFlatMappingInItsStore) {
  Record note = Make("n1", {{"title", "Hello"}, {"tag_ids", Array{"t1"}}});
  note.dynamic = R"({"mood": {"b": 1, "a": 2}})";
  Put("Note", {note}, "phone");
  const auto got =
      gateway_->Get(context_, {.collection = "records", .keys = {{.tenant = "acme", .key = "n1"}}});
  ASSERT_TRUE(got.ok() && got->records.front());
  const Record& stored = *got->records.front();
  EXPECT_EQ(stored.fields.at("title"), Value("Hello"));
  EXPECT_EQ(stored.fields.at("record_type"), Value("Note"));
  EXPECT_EQ(stored.fields.at("deleted"), Value(false));
  EXPECT_EQ(stored.fields.at("last_update_device_id"), Value("phone"));
  EXPECT_EQ(stored.fields.at("last_modified"), stored.fields.at("created_at"));
  EXPECT_EQ(stored.dynamic, R"({"mood":{"a":2,"b":1}})");
  EXPECT_EQ(stored.vectors.at("vector"), Vector::Floats(std::vector<float>{1, 0}));
}

TEST_F(RecordServiceTest, InsertRefusesWhatIsThereAndTakesWhatWasDeleted) {
  const auto insert = [&] {
    return service_->InsertRecord(context_, acme_, {.type = "Tag", .records = {Make("t")}});
  };
  ASSERT_TRUE(insert().ok());
  EXPECT_EQ(insert().code(), Code::kAlreadyExists);
  ASSERT_EQ(*service_->DeleteRecords(context_, acme_, {.ids = {"t"}}), 1u);
  EXPECT_FALSE(Find("t").has_value());
  EXPECT_TRUE(insert().ok());
  EXPECT_TRUE(Find("t").has_value());
}

TEST_F(RecordServiceTest, EveryRecordIsCheckedBeforeTheFirstIsWritten) {
  std::vector<Record> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(Make("r" + std::to_string(i)));
  }
  many.back().vectors.at("vector") = Vector::Floats(std::vector<float>{1, 2, 3});
  EXPECT_THAT(UpsertRefusal("Misc", many), HasSubstr("dimension"));
  EXPECT_EQ(CountAll(), 0u);
  many.back() = Make("last");
  many.back().dynamic = R"({"deleted": true})";
  EXPECT_THAT(UpsertRefusal("Misc", many), HasSubstr("row 39"));
  EXPECT_THAT(UpsertRefusal("Misc", {Make("x", {{"last_modified", int64_t{5}}})}),
              HasSubstr("Roost's own"));
  EXPECT_THAT(UpsertRefusal("Paper", {Make("x")}), HasSubstr("no record kind \"Paper\""));
  EXPECT_THAT(UpsertRefusal("NoteBody", {Make("x")}), HasSubstr("needs \"note_id\""));
  EXPECT_THAT(UpsertRefusal("Note", {Make("x", {{"title", int64_t{5}}})}), HasSubstr("title"));
  EXPECT_EQ(CountAll(), 0u);
  const auto checked = service_->UpsertRecords(
      context_, acme_, {.type = "Misc", .records = {Make("x")}, .check_only = true});
  EXPECT_TRUE(checked.ok());
  EXPECT_EQ(CountAll(), 0u);
}

TEST_F(RecordServiceTest, UpsertReplacesWholeRecordsAndKeepsWhenTheyWereMade) {
  Put("Note", {Make("n", {{"title", "one"}, {"summary", "old"}})});
  const Record before = *Find("n");
  clock_.Advance(std::chrono::seconds(5));
  Put("Note", {Make("n", {{"title", "two"}}, {})}, "desk");
  const Record after = *Find("n");
  EXPECT_EQ(after.fields.at("title"), Value("two"));
  EXPECT_FALSE(after.fields.contains("summary"));
  EXPECT_TRUE(after.vectors.empty());
  EXPECT_EQ(after.fields.at("created_at"), before.fields.at("created_at"));
  EXPECT_EQ(MicrosOf(after, "last_modified") - MicrosOf(before, "last_modified"), 5'000'000);
}

TEST_F(RecordServiceTest, UpdatesMergeAndNullRemoves) {
  Record note = Make("n", {{"title", "one"}, {"summary", "old"}});
  note.dynamic = R"({"a":1,"b":2})";
  Put("Note", {note});
  RecordUpdate update{.unique_id = "n", .vector = Vector::Floats(std::vector<float>{0, 1})};
  update.properties.fields = {{"summary", Value()}, {"title", "two"}};
  update.properties.dynamic = R"({"b": null, "c": [3]})";
  const auto result = service_->UpdateRecord(context_, acme_, update);
  ASSERT_TRUE(result.ok()) << result.error().ToString();
  const Record after = *Find("n");
  EXPECT_TRUE(SameRecord(after, *result));
  EXPECT_EQ(after.fields.at("title"), Value("two"));
  EXPECT_FALSE(after.fields.contains("summary"));
  EXPECT_EQ(after.dynamic, R"({"a":1,"c":[3]})");
  EXPECT_EQ(after.vectors.at("vector"), Vector::Floats(std::vector<float>{0, 1}));
  update.unique_id = "none";
  EXPECT_EQ(service_->UpdateRecord(context_, acme_, update).code(), Code::kNotFound);
  Put("NoteBody", {Make("b", {{"note_id", "n"}})});
  RecordUpdate removal{.unique_id = "b", .vector = {}, .properties = {}, .origin = {}};
  removal.properties.fields = {{"note_id", Value()}};
  EXPECT_THAT(service_->UpdateRecord(context_, acme_, removal).error().message,
              HasSubstr("needs \"note_id\""));
  EXPECT_EQ(Find("b")->fields.at("note_id"), Value("n"));
}

TEST_F(RecordServiceTest, DeletionsOfTheWrongKindDeleteNothing) {
  Put("Tag", {Make("t")});
  Put("Note", {Make("n")});
  const auto wrong =
      service_->DeleteRecords(context_, acme_, {.ids = {"t", "n"}, .record_type = "Tag"});
  EXPECT_EQ(wrong.code(), Code::kFailedPrecondition);
  EXPECT_THAT(wrong.error().message, HasSubstr("is a Note, not a Tag"));
  EXPECT_TRUE(Find("t").has_value());
  EXPECT_EQ(service_->DeleteRecords(context_, acme_, {.ids = {"t"}, .record_type = "Tog"}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(
      service_->DeleteRecords(context_, acme_, {.ids = {"t", "n"}, .s3_paths = {"s3://a"}}).code(),
      Code::kInvalidArgument);
  EXPECT_EQ(*service_->DeleteRecords(context_, acme_, {.ids = {"t", "none", "t", "n"}}), 2u);
  EXPECT_FALSE(Find("t").has_value());
  EXPECT_EQ(*service_->DeleteRecords(context_, acme_, {.ids = {"t"}}), 0u);
}

TEST_F(RecordServiceTest, EveryReadPassesOverDeletedRecords) {
  Put("Note", {Make("a", {{"title", "red fox"}}), Make("b", {{"title", "red whale"}})});
  ASSERT_TRUE(service_->DeleteRecords(context_, acme_, {.ids = {"a"}}).ok());
  const VectorQuery vector{.query_vector = Vector::Floats(std::vector<float>{1, 0})};
  EXPECT_THAT(Ids(*service_->QueryByVector(context_, acme_, vector)), ElementsAre("b"));
  EXPECT_THAT(Ids(*service_->QueryByKeyword(context_, acme_, {.keyword = "red"})),
              ElementsAre("b"));
  EXPECT_THAT(Ids(service_->QueryByFilter(context_, acme_, {})->records), ElementsAre("b"));
  EXPECT_THAT(Ids(*service_->GetMostRecentRecords(context_, acme_, 10, false)), ElementsAre("b"));
}

TEST_F(RecordServiceTest, TenantsDoNotSeeEachOther) {
  Put("Note", {Make("n", {{"title", "red"}})}, "phone", "acme");
  Put("Note", {Make("n", {{"title", "blue"}})}, "phone", "zoo");
  const VectorQuery vector{.query_vector = Vector::Floats(std::vector<float>{1, 0})};
  EXPECT_EQ(service_->QueryByVector(context_, zoo_, vector)->size(), 1u);
  EXPECT_THAT(*service_->QueryByKeyword(context_, zoo_, {.keyword = "red"}), IsEmpty());
  EXPECT_THAT(
      service_->QueryByFilter(context_, zoo_, {.filter = Filter("title == 'red'")})->records,
      IsEmpty());
  EXPECT_THAT(service_
                  ->QueryByFilter(context_, zoo_,
                                  {.filter = Filter("tenantName == 'acme' or title == 'red'")})
                  ->records,
              IsEmpty());
  RecordUpdate update{.unique_id = "n"};
  update.properties.fields = {{"title", "green"}};
  ASSERT_TRUE(service_->UpdateRecord(context_, zoo_, update).ok());
  EXPECT_EQ(Find("n")->fields.at("title"), Value("red"));
  EXPECT_EQ(*service_->DeleteAllRecords(context_, zoo_, {}), 1u);
  EXPECT_TRUE(Find("n").has_value());
  const auto told = service_->SyncByLastModified(context_, acme_, {});
  EXPECT_THAT(Ids(told->records), ElementsAre("n"));
  EXPECT_FALSE(IsDeletion(told->records.front()));
}

TEST_F(RecordServiceTest, DeleteAllGoesThroughAllBatches) {
  std::vector<Record> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(Make("r" + std::to_string(i)));
  }
  Put("Misc", many);
  EXPECT_EQ(*service_->DeleteAllRecords(context_, acme_, {}), 40u);
  EXPECT_THAT(service_->QueryByFilter(context_, acme_, {})->records, IsEmpty());
}

TEST_F(RecordServiceTest, SimilaritySettingCutsAndRefusesAnotherMetric) {
  Put("Misc", {Make("same", {}, {2, 0}), Make("near", {}, {1, 1}), Make("far", {}, {0, 1})});
  VectorQuery query{.query_vector = Vector::Floats(std::vector<float>{1, 0})};
  EXPECT_THAT(Ids(*service_->QueryByVector(context_, acme_, query)),
              ElementsAre("same", "near", "far"));
  query.similarity.min_score = 0.5;
  EXPECT_THAT(Ids(*service_->QueryByVector(context_, acme_, query)), ElementsAre("same", "near"));
  query.similarity.max_distance = 0.1;
  EXPECT_THAT(Ids(*service_->QueryByVector(context_, acme_, query)), ElementsAre("same"));
  query.similarity.metric = Metric::kL2;
  EXPECT_THAT(service_->QueryByVector(context_, acme_, query).error().message, HasSubstr("COSINE"));
  query = {.query_vector = Vector::Floats(std::vector<float>{1, 0}), .top_k = 0};
  EXPECT_EQ(service_->QueryByVector(context_, acme_, query).code(), Code::kInvalidArgument);
}

TEST_F(RecordServiceTest, ConnectedResultsAreWhatHitsReferToAndWhatRefersToThem) {
  Put("Tag", {Make("red"), Make("blue"), Make("gone")});
  Put("Note", {Make("n1", {{"title", "one"}, {"tag_ids", Array{"red", "gone", "none"}}}),
               Make("n2", {{"title", "two"}, {"tag_ids", Array{"red", "blue"}}}),
               Make("n3", {{"title", "three"}})});
  Put("NoteBody", {Make("b1", {{"note_id", "n1"}}), Make("b2", {{"note_id", "n2"}})});
  ASSERT_TRUE(service_->DeleteRecords(context_, acme_, {.ids = {"gone"}}).ok());
  // A note's tags and bodies.
  auto found = service_->QueryByFilter(
      context_, acme_, {.filter = Filter("uniqueid == 'n1'"), .get_connected_results = true});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  EXPECT_THAT(Ids(found->records), ElementsAre("n1"));
  EXPECT_THAT(Ids(found->connected), ElementsAre("b1", "red"));
  EXPECT_THAT(found->links,
              ElementsAre(RecordLink{"b1", "note_id", "n1"}, RecordLink{"n1", "tag_ids", "red"}));
  // A tag's notes.
  found = service_->QueryByFilter(
      context_, acme_, {.filter = Filter("uniqueid == 'red'"), .get_connected_results = true});
  EXPECT_THAT(Ids(found->connected), ElementsAre("n1", "n2"));
  // Both ends among the hits: a link, and no record twice.
  found = service_->QueryByFilter(
      context_, acme_,
      {.filter = Filter("uniqueid in ['blue', 'n2']"), .get_connected_results = true});
  EXPECT_THAT(Ids(found->connected), ElementsAre("b2", "red"));
  EXPECT_THAT(found->links,
              ElementsAre(RecordLink{"b2", "note_id", "n2"}, RecordLink{"n2", "tag_ids", "blue"},
                          RecordLink{"n2", "tag_ids", "red"}));
  EXPECT_TRUE(found->complete);
}

TEST_F(RecordServiceTest, ReferencesOfKindsThatCameLaterAreFollowedToo) {
  RecordCollectionSpec spec{.collection = "records", .dimension = 2};
  spec.kinds = *RecordKinds::Parse(R"({"kinds": {
      "Page": {"properties": [{"name": "links", "type": "ARRAY", "element_type": "VARCHAR",
                               "refers_to": "Page"},
                              {"name": "parent", "type": "VARCHAR", "refers_to": "Page"}]}}})");
  ASSERT_TRUE(service_->CreateCollection(context_, spec).ok());
  Record a = Make("a");
  a.dynamic = R"({"links": ["b"]})";
  Record b = Make("b");
  b.dynamic = R"({"parent": "a"})";
  Put("Page", {a, b});
  const auto found = service_->QueryByFilter(
      context_, acme_, {.filter = Filter("uniqueid == 'a'"), .get_connected_results = true});
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  EXPECT_THAT(found->links,
              ElementsAre(RecordLink{"a", "links", "b"}, RecordLink{"b", "parent", "a"}));
}

TEST_F(RecordServiceTest, MostRecentRecordsComeNewestFirst) {
  for (int i = 0; i < 300; ++i) {
    Put("Misc", {Make("r" + std::to_string(i))});
    clock_.Advance(i % 3 == 0 ? std::chrono::hours(5) : std::chrono::hours(0));
  }
  EXPECT_THAT(Ids(*service_->GetMostRecentRecords(context_, acme_, 3, false)),
              ElementsAre("r299", "r298", "r297"));
  RecordUpdate update{.unique_id = "r5"};
  ASSERT_TRUE(service_->UpdateRecord(context_, acme_, update).ok());
  EXPECT_THAT(Ids(*service_->GetMostRecentRecords(context_, acme_, 2, false)),
              ElementsAre("r5", "r299"));
  EXPECT_EQ(service_->GetMostRecentRecords(context_, acme_, 1'000, false)->size(), 300u);
}

TEST_F(RecordServiceTest, ACollectionIsMadeOnceAndKeepsItsShape) {
  EXPECT_TRUE(service_->CreateCollection(context_, {.collection = "records", .dimension = 2}).ok());
  const Status other = service_->CreateCollection(context_, {.collection = "records"});
  EXPECT_EQ(other.code(), Code::kAlreadyExists);
  EXPECT_THAT(other.error().message, HasSubstr("2 dimensions, not 768"));
  CollectionSchema plain;
  plain.name = "plain";
  plain.fields = {{.name = "n", .type = DataType::kInt64}};
  ASSERT_TRUE(gateway_->CreateCollection(context_, plain, "").ok());
  EXPECT_EQ(service_->Layout(context_, "plain").code(), Code::kFailedPrecondition);
  EXPECT_EQ(service_->CreateCollection(context_, {.collection = "plain"}).code(),
            Code::kAlreadyExists);
}

Capabilities WithoutKeywords() {
  Capabilities capabilities = MakeFakeStore()->capabilities();
  capabilities.keyword_search = false;
  return capabilities;
}

class WithoutKeywordSearch : public RecordServiceTest {
 protected:
  WithoutKeywordSearch() : RecordServiceTest(SmallBatches(), WithoutKeywords()) {}
};

TEST_F(WithoutKeywordSearch, RecordsAreRankedByTheService) {
  Put("Note", {Make("a", {{"title", "red fox"}, {"summary", "a fox that is red"}}),
               Make("b", {{"title", "red whale in a wide and blue sea"}}),
               Make("c", {{"title", "green"}})});
  Put("Note", {Make("z", {{"title", "red red red"}})}, "phone", "zoo");
  const auto hits = service_->QueryByKeyword(context_, acme_, {.keyword = "RED fox"});
  ASSERT_TRUE(hits.ok()) << hits.error().ToString();
  EXPECT_THAT(Ids(*hits), ElementsAre("a", "b"));
  EXPECT_GT((*hits)[0].score, (*hits)[1].score);
  EXPECT_EQ((*hits)[0].distance, -(*hits)[0].score);
  const auto names = service_->QueryByKeyword(
      context_, acme_, {.keyword = "red", .top_k = 1, .filter = {}, .include_metadata = false});
  ASSERT_EQ(names->size(), 1u);
  EXPECT_FALSE(names->front().record.fields.contains("title"));
  EXPECT_EQ(service_->QueryByKeyword(context_, acme_, {.keyword = " !"}).code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace roost
