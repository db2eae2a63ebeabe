#include "adapters/opensearch/opensearch_reply.h"

#include <charconv>

#include <simdjson.h>

namespace roost {
namespace {

namespace sj = simdjson::ondemand;

simdjson::padded_string_view Padded(const std::string& body) {
  return simdjson::padded_string_view(body.data(), body.size(), body.capacity());
}

Error NotOpenSearch(std::string_view why) {
  return Unavailable("OpenSearch's reply cannot be read: " + std::string(why) +
                     "; is something else answering at this address?");
}

/// Runs `read(document)`, which may throw what simdjson throws.
template <typename T, typename Read>
Result<T> Parse(const std::string& body, Read read) {
  try {
    sj::parser parser;
    sj::document document = parser.iterate(Padded(body));
    return read(document);
  } catch (const simdjson::simdjson_error& error) {
    return NotOpenSearch(error.what());
  }
}

std::string Text(sj::value value) { return std::string(std::string_view(value.get_string())); }

double Score(sj::value value) {
  if (value.type() == sj::json_type::number) {
    return value.get_double();
  }
  return 0;  // null where the hits are sorted by something else
}

std::string InnermostReason(sj::object error, OsFailure& failure) {
  for (auto field : error) {
    const std::string_view name = field.unescaped_key();
    sj::value value = field.value();
    if (name == "type" && value.type() == sj::json_type::string) {
      failure.type = failure.type.empty() ? Text(value) : failure.type;
    } else if (name == "reason" && value.type() == sj::json_type::string) {
      failure.reason = Text(value);
    } else if (name == "reason" && value.type() == sj::json_type::object) {
      InnermostReason(value.get_object(), failure);
    } else if (name == "caused_by" && value.type() == sj::json_type::object) {
      OsFailure inner;
      InnermostReason(value.get_object(), inner);
      failure.reason = inner.reason.empty() ? failure.reason : inner.reason;
    } else if ((name == "root_cause" || name == "failed_shards") &&
               value.type() == sj::json_type::array) {
      for (auto cause : value.get_array()) {
        OsFailure inner;
        InnermostReason(cause.get_object(), inner);
        if (name == "root_cause" && failure.type.empty()) {
          failure.type = inner.type;
        }
        if (!inner.reason.empty()) {
          failure.reason = inner.reason;
        }
      }
    }
  }
  return failure.reason;
}

OsFailure ReadFailure(sj::value error) {
  OsFailure failure;
  if (error.type() == sj::json_type::object) {
    InnermostReason(error.get_object(), failure);
  } else if (error.type() == sj::json_type::string) {
    failure.reason = Text(error);
  }
  return failure;
}

OsDocument ReadDocument(sj::object object) {
  OsDocument document;
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    sj::value value = field.value();
    if (name == "_id") {
      document.id = Text(value);
    } else if (name == "found") {
      document.found = value.get_bool();
    } else if (name == "_version") {
      document.version = value.get_int64();
    } else if (name == "_seq_no") {
      document.seq_no = value.get_int64();
    } else if (name == "_primary_term") {
      document.primary_term = value.get_int64();
    } else if (name == "_score") {
      document.score = Score(value);
    } else if (name == "error") {
      document.error = ReadFailure(value);
    } else if (name == "_source") {
      document.source = simdjson::to_json_string(value);
    }
  }
  return document;
}

/// A search's answer, the braces of which are `answer`. Parts of a result are no result.
Result<std::vector<OsDocument>> ReadSearch(sj::object answer) {
  std::vector<OsDocument> documents;
  bool answered = false;
  for (auto field : answer) {
    const std::string_view name = field.unescaped_key();
    sj::value value = field.value();
    if (name == "error") {
      const OsFailure failure = ReadFailure(value);
      return Unavailable("OpenSearch's search failed: " + failure.type + ": " + failure.reason);
    }
    if (name == "timed_out" && bool(value.get_bool())) {
      return DeadlineExceeded("OpenSearch's search timed out and found only a part");
    }
    if (name == "_shards") {
      for (auto count : value.get_object()) {
        if (std::string_view(count.unescaped_key()) == "failed" &&
            int64_t(count.value().get_int64()) > 0) {
          return Unavailable("a shard of OpenSearch's index failed during the search");
        }
      }
    }
    if (name == "hits") {
      answered = true;
      for (auto part : value.get_object()) {
        if (std::string_view(part.unescaped_key()) == "hits") {
          for (auto hit : part.value().get_array()) {
            documents.push_back(ReadDocument(hit.get_object()));
          }
        }
      }
    }
  }
  return answered ? Result<std::vector<OsDocument>>(std::move(documents))
                  : NotOpenSearch("it has no hits");
}

OsItem ReadItem(sj::object action) {
  OsItem item;
  for (auto only : action) {
    for (auto field : only.value().get_object()) {
      const std::string_view name = field.unescaped_key();
      sj::value value = field.value();
      if (name == "status") {
        item.status = static_cast<int>(int64_t(value.get_int64()));
      } else if (name == "result") {
        item.result = Text(value);
      } else if (name == "_version") {
        item.version = value.get_int64();
      } else if (name == "error") {
        OsFailure failure = ReadFailure(value);
        item.error_type = std::move(failure.type);
        item.error_reason = std::move(failure.reason);
      }
    }
  }
  return item;
}

}  // namespace

void PadReply(std::string& body) { body.reserve(body.size() + simdjson::SIMDJSON_PADDING); }

Result<std::vector<OsDocument>> ParseSearch(const std::string& body) {
  return Parse<std::vector<OsDocument>>(
      body, [](sj::document& document) { return ReadSearch(document.get_object()); });
}

Result<std::vector<std::vector<OsDocument>>> ParseMultiSearch(const std::string& body) {
  using Answers = std::vector<std::vector<OsDocument>>;
  return Parse<Answers>(body, [](sj::document& document) -> Result<Answers> {
    Answers answers;
    for (auto answer : document["responses"].get_array()) {
      Result<std::vector<OsDocument>> read = ReadSearch(answer.get_object());
      if (!read.ok()) {
        return std::move(read).error();
      }
      answers.push_back(*std::move(read));
    }
    return answers;
  });
}

Result<std::vector<OsDocument>> ParseMultiGet(const std::string& body) {
  using Documents = std::vector<OsDocument>;
  return Parse<Documents>(body, [](sj::document& document) -> Result<Documents> {
    Documents documents;
    for (auto found : document["docs"].get_array()) {
      OsDocument read = ReadDocument(found.get_object());
      if (!read.error.type.empty() || !read.error.reason.empty()) {
        return read.error.type == "index_not_found_exception"
                   ? NotFound("the index is gone")
                   : Unavailable("OpenSearch cannot read a document: " + read.error.type + ": " +
                                 read.error.reason);
      }
      documents.push_back(std::move(read));
    }
    return documents;
  });
}

Result<std::vector<OsItem>> ParseBulk(const std::string& body) {
  using Items = std::vector<OsItem>;
  return Parse<Items>(body, [](sj::document& document) -> Result<Items> {
    Items items;
    for (auto item : document["items"].get_array()) {
      items.push_back(ReadItem(item.get_object()));
    }
    return items;
  });
}

Result<int64_t> ParseNumber(const std::string& body, std::string_view member) {
  return Parse<int64_t>(body, [&](sj::document& document) -> Result<int64_t> {
    return int64_t(document[member].get_int64());
  });
}

Result<std::string> ParseText(const std::string& body, std::string_view member) {
  return Parse<std::string>(body, [&](sj::document& document) -> Result<std::string> {
    return std::string(std::string_view(document[member].get_string()));
  });
}

Result<int64_t> ParseStoreBytes(const std::string& body) {
  return Parse<int64_t>(body, [](sj::document& document) -> Result<int64_t> {
    return int64_t(document["_all"]["primaries"]["store"]["size_in_bytes"].get_int64());
  });
}

Result<int64_t> ParseFailedShards(const std::string& body) {
  return Parse<int64_t>(body, [](sj::document& document) -> Result<int64_t> {
    return int64_t(document["_shards"]["failed"].get_int64());
  });
}

OsFailure ParseFailure(const std::string& body) {
  const auto failure = Parse<OsFailure>(body, [](sj::document& document) -> Result<OsFailure> {
    return ReadFailure(document["error"].value());
  });
  return failure.ok() ? *failure : OsFailure{};
}

std::optional<int64_t> ConflictingVersion(std::string_view reason) {
  constexpr std::string_view kBefore = "current version [";
  const size_t at = reason.rfind(kBefore);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  int64_t version = 0;
  const char* begin = reason.data() + at + kBefore.size();
  const auto [end, error] = std::from_chars(begin, reason.data() + reason.size(), version);
  return error == std::errc() && end != begin ? std::optional(version) : std::nullopt;
}

Result<OsGreeting> ParseGreeting(const std::string& body) {
  return Parse<OsGreeting>(body, [](sj::document& document) -> Result<OsGreeting> {
    OsGreeting greeting;
    for (auto field : document.get_object()) {
      const std::string_view name = field.unescaped_key();
      if (name == "tagline") {
        greeting.tagline = Text(field.value());
      } else if (name == "version") {
        for (auto part : field.value().get_object()) {
          const std::string_view which = part.unescaped_key();
          if (which == "distribution") {
            greeting.distribution = Text(part.value());
          } else if (which == "number") {
            greeting.version = Text(part.value());
          }
        }
      }
    }
    return greeting;
  });
}

namespace {

void ReadMeta(sj::object meta, OsIndexDescription& index) {
  for (auto owner : meta) {
    if (std::string_view(owner.unescaped_key()) != "roost") {
      continue;
    }
    for (auto field : owner.value().get_object()) {
      const std::string_view name = field.unescaped_key();
      if (name == "collection") {
        index.collection = Text(field.value());
      } else if (name == "schema") {
        index.schema = Text(field.value());
      } else if (name == "alias") {
        index.alias = Text(field.value());
      } else if (name == "format") {
        index.format = field.value().get_int64();
      }
    }
  }
}

void ReadProperties(sj::object properties, OsIndexDescription& index) {
  for (auto property : properties) {
    std::string name(std::string_view(property.unescaped_key()));
    bool vector = false;
    int64_t dimension = 0;
    for (auto setting : property.value().get_object()) {
      const std::string_view what = setting.unescaped_key();
      if (what == "type") {
        vector = std::string_view(setting.value().get_string()) == "knn_vector";
      } else if (what == "dimension") {
        dimension = setting.value().get_int64();
      }
    }
    if (vector) {
      index.vector_dimensions.emplace_back(std::move(name), dimension);
    }
  }
}

}  // namespace

Result<std::vector<OsIndexDescription>> ParseIndexes(const std::string& body) {
  using Indexes = std::vector<OsIndexDescription>;
  return Parse<Indexes>(body, [](sj::document& document) -> Result<Indexes> {
    Indexes indexes;
    for (auto entry : document.get_object()) {
      OsIndexDescription& index = indexes.emplace_back();
      index.name = std::string_view(entry.unescaped_key());
      std::vector<std::string> aliases;
      for (auto part : entry.value().get_object()) {
        const std::string_view what = part.unescaped_key();
        if (what == "aliases") {
          for (auto alias : part.value().get_object()) {
            aliases.emplace_back(std::string_view(alias.unescaped_key()));
          }
        } else if (what == "mappings") {
          for (auto mapping : part.value().get_object()) {
            const std::string_view which = mapping.unescaped_key();
            if (which == "_meta") {
              ReadMeta(mapping.value().get_object(), index);
            } else if (which == "properties") {
              ReadProperties(mapping.value().get_object(), index);
            }
          }
        }
      }
      for (const std::string& alias : aliases) {
        index.alias_exists = index.alias_exists || alias == index.alias;
      }
    }
    return indexes;
  });
}

}  // namespace roost
