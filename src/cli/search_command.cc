#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/npy.h"
#include "cli/records_view.h"
#include "cli/row_source.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct SearchOptions {
  std::string collection;
  std::string words;
  std::string text;
  std::string vector_file;
  std::string vector_json;
  std::string field;
  std::string text_field;
  bool hybrid = false;
  std::string fusion = "rrf";
  std::vector<double> weights;
  uint32_t top_k = 10;
  uint64_t offset = 0;
  std::string filter;
  std::string tenant;
  std::vector<std::string> fields;
  bool vectors = false;
  bool exact = false;
  uint32_t ef = 0;
};

// The first row of a .npy file, or a file with the vector as JSON.
Result<std::string> ReadVectorFile(const std::string& path) {
  if (FormatOfName(path) != "npy") {
    return ReadInput(path);
  }
  NpyReader reader = TRY(NpyReader::Open(path));
  const bool one = reader.header().columns == 1;  // A vector saved as it is: one dimension.
  std::string bytes;
  for (;;) {
    const std::string_view row = TRY(reader.Next());
    if (row.empty()) {
      break;
    }
    bytes += row;
    if (!one) {
      break;
    }
  }
  std::string json;
  AppendNpyRow(json, reader.header().type, bytes);
  return json;
}

Result<bj::value> QueryVector(const SearchOptions& options) {
  if (options.vector_file.empty() && options.vector_json.empty()) {
    return bj::value();
  }
  const std::string text =
      options.vector_json.empty() ? TRY(ReadVectorFile(options.vector_file)) : options.vector_json;
  bj::error_code error;
  bj::value vector = bj::parse(text, error);
  if (error || vector.is_null() || vector.is_number()) {
    return InvalidArgument(
        "the vector must be JSON: [0.1, 0.2], a base64 text in quotes, or "
        "{\"indices\": […], \"values\": […]}");
  }
  return vector;
}

void AddCommon(bj::object& body, const SearchOptions& options) {
  body["top_k"] = options.top_k;
  body["offset"] = options.offset;
  body["include_vectors"] = options.vectors;
  if (!options.filter.empty()) {
    body["filter"] = options.filter;
  }
  if (!options.tenant.empty()) {
    body["tenant"] = options.tenant;
  }
  if (!options.fields.empty()) {
    body["fields"] = bj::array(options.fields.begin(), options.fields.end());
  }
}

bj::object VectorLeg(const SearchOptions& options, const bj::value& vector) {
  bj::object leg;
  if (!options.field.empty()) {
    leg["field"] = options.field;
  }
  leg["vector"] = vector;
  leg["exact"] = options.exact;
  if (options.ef > 0) {
    leg["ef"] = options.ef;
  }
  return leg;
}

bj::object TextLeg(const SearchOptions& options, const std::string& text, bool alone) {
  bj::object leg;
  leg["text"] = text;
  const std::string& field =
      options.text_field.empty() && alone ? options.field : options.text_field;
  if (!field.empty()) {
    leg["field"] = field;
  }
  return leg;
}

struct Request {
  std::string path;
  std::string body;
};

Result<Request> MakeRequest(const SearchOptions& options) {
  if (!options.words.empty() && !options.text.empty()) {
    return InvalidArgument("the words are given twice: once as argument and once with --text");
  }
  const std::string& text = options.text.empty() ? options.words : options.text;
  const bj::value vector = TRY(QueryVector(options));
  if (text.empty() && vector.is_null()) {
    return InvalidArgument("what to search for? Give words, --vector FILE or --vector-json");
  }
  const bool both = !text.empty() && !vector.is_null();
  if (options.hybrid && !both) {
    return InvalidArgument("--hybrid needs words and a vector");
  }
  bj::object body;
  if (!both) {
    body = vector.is_null() ? TextLeg(options, text, true) : VectorLeg(options, vector);
    AddCommon(body, options);
    return Request{CollectionPath(options.collection, "/search"), bj::serialize(body)};
  }
  bj::object legs[] = {VectorLeg(options, vector), TextLeg(options, text, false)};
  bj::array searches;
  for (bj::object& leg : legs) {
    // Each leg finds enough for the page that is asked for.
    leg["top_k"] = options.top_k + options.offset;
    searches.push_back(std::move(leg));
  }
  body["searches"] = std::move(searches);
  body["fusion"] = options.fusion;
  if (!options.weights.empty()) {
    body["weights"] = bj::array(options.weights.begin(), options.weights.end());
  }
  AddCommon(body, options);
  return Request{CollectionPath(options.collection, "/hybrid-search"), bj::serialize(body)};
}

Result<ExitStatus> RunSearch(Session& session, const SearchOptions& options) {
  Request request = TRY(MakeRequest(options));
  const std::string reply = TRY(session.api().Call("POST", request.path, std::move(request.body)));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* hits = document.get_object().if_contains("hits");
  if (hits == nullptr || !hits->is_array() || hits->get_array().empty() ||
      !hits->get_array().front().is_array()) {
    return Internal("the server's reply has no hits");
  }
  const bj::array& best = hits->get_array().front().get_array();
  if (best.empty()) {
    session.Say("nothing found");
    return ExitStatus::kOk;
  }
  const std::string description =
      TRY(session.api().Call("GET", CollectionPath(options.collection)));
  const bj::value schema = TRY(ParseReply(description));
  const bj::value* key = schema.get_object().if_contains("key");
  session.Print(HitsTable(best, key == nullptr ? "id" : TextMember(*key, "name")));
  return ExitStatus::kOk;
}

void AddQueryOptions(CLI::App& search, SearchOptions& options) {
  search.add_option("WORDS", options.words, "Words to find (keyword search)")->type_name("");
  AddCollectionOption(search, options.collection);
  search.add_option("--text", options.text, "The same as WORDS")->type_name("WORDS");
  search.add_option("--vector", options.vector_file, "Find the nearest to a vector: .npy or JSON")
      ->type_name("FILE");
  search.add_option("--vector-json", options.vector_json, "The same, written here: [0.1, 0.2]")
      ->type_name("JSON");
  search
      .add_option("--field", options.field, "The vector (or text) field, where there are several")
      ->type_name("NAME");
  search.add_option("--text-field", options.text_field, "The text field, of a hybrid search")
      ->type_name("NAME");
  search.add_flag("--hybrid", options.hybrid,
                  "Words and vector both (so it is where both are given)");
  AddChoice(search, "--fusion", options.fusion, "rrf|weighted",
            "How a hybrid search joins its lists");
  search
      .add_option("--weights", options.weights, "Of the vector's and of the words' list: 0.7,0.3")
      ->type_name("NUMBERS")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

}  // namespace

void AddSearchCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<SearchOptions>();
  CLI::App* search =
      AddCommand(app, "search", "Find the records nearest to a vector, or best for words",
                 "roost search \"wine dark sea\" -c books\n"
                 "roost search -c books --vector query.npy --top-k 5 --filter 'year > 1990'\n"
                 "roost search \"wine\" --vector-json '[0.1, 0.2]' -c books --hybrid");
  AddQueryOptions(*search, *options);
  search->add_option("-k,--top-k", options->top_k, "How many (10)")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000).description(""));
  search->add_option("--offset", options->offset, "Pass over so many first")->type_name("N");
  search->add_option("--filter", options->filter, "Only among records that match")
      ->type_name("EXPRESSION");
  search->add_option("--tenant", options->tenant, "Only among this tenant's records")
      ->type_name("NAME");
  search->add_option("--fields", options->fields, "Only these fields, parted by commas")
      ->type_name("NAMES")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  search->add_flag("--vectors", options->vectors, "With their vectors");
  search->add_flag("--exact", options->exact, "Compare with every record");
  search->add_option("--ef", options->ef, "Beam width of the index")->type_name("N");
  search->callback([&session, options] {
    session.action = [&session, options] { return RunSearch(session, *options); };
  });
}

}  // namespace roost
