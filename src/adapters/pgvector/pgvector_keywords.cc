// Keyword search: BM25 over the words of text fields, computed where the rows are.

#include <algorithm>

#include "adapters/pgvector/pgvector_impl.h"
#include "store/bm25.h"
#include "store/validate.h"

namespace roost {
namespace {

/// Words of a query that count; the others are left out.
constexpr size_t kMaxQueryWords = 256;
/// Records looked at to learn how long texts are and, where there are no more, how many.
constexpr int kSample = 1'000;
/// How often a word occurs is counted so far; whatever occurs more often counts as that common.
constexpr int kMaxCounted = 10'000;

std::string Number(size_t parameter) { return "$" + std::to_string(parameter); }

/// What a query needs to know about all texts of one field.
struct WordStatistics {
  double average_length = 1;
  std::vector<double> idf;  ///< one a word of the query
};

/// Two statements: how many texts there are and how long they are; how many hold each word.
void AskForStatistics(const PgTable& table, const PgColumn& column,
                      const std::vector<std::string>& words, std::vector<PgStatement>& statements) {
  PgStatement& texts = statements.emplace_back();
  const std::string name = Number(texts.params.Text(table.name));
  texts.sql =
      "SELECT GREATEST(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), s.counted, 1), "
      "s.average FROM pg_class c, (SELECT count(*) AS counted, COALESCE(avg(length(w)), "
      "1)::float8 AS average FROM (SELECT " +
      column.name + " AS w FROM " + table.name + " WHERE " + column.name + " IS NOT NULL LIMIT " +
      std::to_string(kSample) + ") AS sample) AS s WHERE c.oid = to_regclass(" + name + ")";
  PgStatement& counts = statements.emplace_back();
  counts.sql = "SELECT (SELECT count(*) FROM (SELECT 1 FROM " + table.name + " t WHERE t." +
               column.name + " @@ q.word LIMIT " + std::to_string(kMaxCounted) +
               ") AS d) FROM unnest(" + Number(counts.params.TextArray(words)) +
               "::text[]::tsquery[]) WITH ORDINALITY AS q (word, n) ORDER BY q.n";
}

Result<WordStatistics> ReadStatistics(const PgTable& table, const PgResult& texts,
                                      const PgResult& counts) {
  if (texts.rows() == 0) {
    return NotFound("table " + table.name + " is gone");
  }
  WordStatistics statistics;
  int64_t total = texts.Int(0, 0);
  for (size_t i = 0; i < counts.rows(); ++i) {
    total = std::max(total, counts.Int(i, 0));  // the first is an estimate
  }
  for (size_t i = 0; i < counts.rows(); ++i) {
    statistics.idf.push_back(
        Bm25Idf(static_cast<uint64_t>(total), static_cast<uint64_t>(counts.Int(i, 0))));
  }
  statistics.average_length = std::max(1.0, PgReader(texts.Bytes(0, 1)).Double());
  return statistics;
}

std::string DoubleArray(const std::vector<double>& values) {
  PgArrayBuilder array(pg::kFloat8);
  for (const double value : values) {
    array.Begin();
    array.writer().Double(value);
    array.End();
  }
  return array.Take();
}

/// The part of the score that one field gives. `words` is the number of the words' parameter. A
/// rank by cover density with equal weights is, for one word, how often it occurs; a text's length
/// is the number of its different words.
std::string ScoreSql(const PgColumn& column, size_t words, const WordStatistics& statistics,
                     PgParams& params) {
  const std::string idf = Number(params.Raw(0, DoubleArray(statistics.idf)));
  const std::string average = Number(params.Double(statistics.average_length));
  const std::string k1 = std::to_string(kBm25K1);
  const std::string b = std::to_string(kBm25B);
  return "COALESCE((SELECT sum(q.idf * x.tf * (" + k1 + " + 1) / (x.tf + " + k1 + " * (1 - " + b +
         " + " + b + " * length(t." + column.name + ") / " + average + "))) FROM unnest(" +
         Number(words) + "::text[]::tsquery[], " + idf +
         "::float8[]) AS q (word, idf), LATERAL "
         "(SELECT ts_rank_cd('{1,1,1,1}', t." +
         column.name + ", q.word)::float8 AS tf) AS x WHERE x.tf > 0), 0)::float8";
}

}  // namespace

Result<std::vector<Hit>> PgStore::SearchText(const Session& session, const SearchRequest& request,
                                             const std::string& text) {
  const PgTable& table = session.table;
  std::vector<std::string> words = QuotedWords(text);
  words.resize(std::min(words.size(), kMaxQueryWords));
  if (words.empty()) {
    return std::vector<Hit>();
  }
  std::vector<const PgColumn*> searched;
  std::vector<PgStatement> asked;
  for (const PgColumn& column : table.columns) {
    if (column.role == PgColumn::Role::kWords &&
        (request.field.empty() || table.field(column).name == request.field)) {
      searched.push_back(&column);
      AskForStatistics(table, column, words, asked);
    }
  }
  const auto known = TRY(session.connection.Run(session.context, asked, PgEffect::kRead));
  const auto columns = table.Selected(request.output);
  PgParams params;
  const std::string where = TRY(Where(session, request.tenant, request.filter, params));
  const std::string query = Number(params.Text(AnyWordQuery(words))) + "::text::tsquery";
  const size_t all_words = params.TextArray(words);
  std::string any;
  std::string score;
  for (size_t i = 0; i < searched.size(); ++i) {
    const auto statistics = TRY(ReadStatistics(table, known[2 * i], known[2 * i + 1]));
    any += (i == 0 ? "t." : " OR t.") + searched[i]->name + " @@ " + query;
    score += (i == 0 ? "" : " + ") + ScoreSql(*searched[i], all_words, statistics, params);
  }
  const size_t limit = params.Int64(int64_t{request.top_k} + request.offset);
  const auto rows = TRY(session.connection.Run(session.context,
                                               "SELECT " + ColumnList(columns, "t") + ", " + score +
                                                   " AS score FROM " + table.name + " t WHERE " +
                                                   where + " AND (" + any +
                                                   ") ORDER BY score DESC, t.\"_tenant\", "
                                                   "t.\"_key\" LIMIT " +
                                                   Number(limit),
                                               std::move(params)));
  std::vector<Hit> hits;
  for (size_t row = 0; row < rows.rows(); ++row) {
    Record record = TRY(DecodeRow(table, columns, rows, row));
    Hit& hit = hits.emplace_back();
    hit.record = Project(table.schema, request.output, std::move(record));
    hit.score = PgReader(rows.Bytes(row, columns.size())).Double();
    hit.distance = -hit.score;
  }
  return hits;
}

}  // namespace roost
