#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "store/conformance/defective_store.h"

namespace roost::conformance {
namespace {

constexpr int64_t kExact = int64_t{1} << 53;  // beyond it a double has no odd numbers

void EachRecord(DefectiveStore& store, std::function<void(Record&)> change) {
  OnWrite(store, [change](WriteRequest& request) {
    for (auto& record : request.records) {
      change(record);
    }
  });
}

void EachFloatVector(DefectiveStore& store, std::function<void(std::vector<float>&)> change) {
  EachRecord(store, [change](Record& record) {
    for (auto& [name, vector] : record.vectors) {
      if (vector.type == DataType::kFloatVector && vector.bytes.size() % sizeof(float) == 0) {
        const auto floats = vector.floats();
        std::vector<float> values(floats.begin(), floats.end());
        change(values);
        vector = Vector::Floats(values);
      }
    }
  });
}

template <typename T>
std::function<void(Record&)> EachValue(std::function<void(T&)> change) {
  return [change](Record& record) {
    for (auto& [name, value] : record.fields) {
      if (auto* held = std::get_if<T>(&value)) {
        change(*held);
      }
    }
  };
}

std::vector<Defect> ValueDefects() {
  return {
      {"loses null: it comes back as zero",
       [](auto& store) {
         EachRecord(store, [](Record& record) {
           for (auto& [name, value] : record.fields) {
             value = value.is_null() ? Value(int64_t{0}) : value;
           }
         });
       },
       {"DefaultsAreApplied"}},
      {"rounds a double to float32",
       [](auto& store) {
         EachRecord(store, EachValue<double>([](double& d) { d = static_cast<float>(d); }));
       },
       {"RoundTrip_DOUBLE"}},
      {"gives an int64 through a double",
       [](auto& store) {
         OnRead(store, EachValue<int64_t>([](int64_t& n) {
                  n = n > (int64_t{1} << 62) ? int64_t{1} << 62
                                             : static_cast<int64_t>(static_cast<double>(n));
                }));
       },
       {"RoundTrip_INT64", "RoundTrip_TIMESTAMP"}},
      {"gives integer keys through a double",
       [](auto& store) {
         OnRead(store, [](Record& record) {
           if (auto* key = std::get_if<int64_t>(&record.key.key)) {
             *key -= *key % (*key > kExact || *key < -kExact ? 1'024 : 1);
           }
         });
       },
       {"IntegerKeys"}},
      {"cuts timestamps to milliseconds",
       [](auto& store) {
         EachRecord(store, EachValue<int64_t>([](int64_t& n) { n -= n % 1'000; }));
       },
       {"RoundTrip_TIMESTAMP"}},
      {"trims blanks from strings",
       [](auto& store) {
         EachRecord(store, EachValue<std::string>(
                               [](std::string& s) { s.erase(s.find_last_not_of(' ') + 1); }));
       },
       {"RoundTrip_VARCHAR", "RoundTrip_TEXT"}},
      {"cuts strings at a zero byte",
       [](auto& store) {
         EachRecord(store, EachValue<std::string>(
                               [](std::string& s) { s.resize(std::min(s.find('\0'), s.size())); }));
       },
       {"RoundTrip_VARCHAR"}},
      {"takes keys without regard to case",
       [](auto& store) {
         EachRecord(store, [](Record& record) {
           if (auto* key = std::get_if<std::string>(&record.key.key)) {
             std::transform(key->begin(), key->end(), key->begin(), [](char c) {
               return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
             });
           }
         });
       },
       {"StringKeys"}},
      {"loses empty arrays",
       [](auto& store) {
         EachRecord(store, [](Record& record) {
           std::erase_if(record.fields, [](const auto& field) {
             const auto* array = std::get_if<Array>(&field.second);
             return array != nullptr && array->empty();
           });
         });
       },
       {"RoundTrip_ARRAY_INT64"}},
      {"loses dynamic fields",
       [](auto& store) { EachRecord(store, [](Record& record) { record.dynamic.clear(); }); },
       {"DynamicFields"}},
  };
}

std::vector<Defect> VectorDefects() {
  return {
      {"accepts NaN in vectors",
       [](auto& store) {
         EachFloatVector(store, [](std::vector<float>& values) {
           for (float& value : values) {
             value = std::isnan(value) ? 0.5f : value;
           }
         });
       },
       {"BadVectorsAreRefused"}},
      {"accepts vectors of a wrong dimension",
       [](auto& store) {
         EachFloatVector(store, [](std::vector<float>& values) {
           values.resize(values.size() == 3 || values.size() == 5 ? 4 : values.size(), 0.5f);
         });
       },
       {"BadVectorsAreRefused"}},
      {"turns -0 in vectors into 0",
       [](auto& store) {
         EachFloatVector(store, [](std::vector<float>& values) {
           for (float& value : values) {
             value = value == 0 ? 0 : value;
           }
         });
       },
       {"NegativeZeroSurvives"}},
      {"rounds vectors to six digits",
       [](auto& store) {
         EachFloatVector(store, [](std::vector<float>& values) {
           for (float& value : values) {
             value = std::isfinite(value) ? std::stof(std::to_string(value)) : value;
           }
         });
       },
       {"FloatBitsSurvive"}},
      {"normalises vectors",
       [](auto& store) {
         EachFloatVector(store, [](std::vector<float>& values) {
           double sum = 0;
           for (const float value : values) {
             sum += double{value} * value;
           }
           for (float& value : values) {
             value =
                 sum > 0 && std::isfinite(sum) ? static_cast<float>(value / std::sqrt(sum)) : value;
           }
         });
       },
       {"WorkedDistances_L2", "WorkedDistances_IP", "RoundTrip_FLOAT_VECTOR"}},
  };
}

/// The hooks read each other's keys: their state lives as long as the store.
std::vector<Defect> BatchDefects() {
  return {
      {"duplicates in one batch keep the first",
       [](auto& store) {
         store.upsert = [&store](const RequestContext& context, const WriteRequest& request) {
           WriteRequest reversed = request;
           std::reverse(reversed.records.begin(), reversed.records.end());
           return store.inner.Upsert(context, reversed);
         };
       },
       {"UpsertTakesTheLastOfABatch"}},
      {"loses the last row of a large batch",
       [](auto& store) {
         store.upsert = [&store](const RequestContext& context, const WriteRequest& request) {
           WriteRequest shorter = request;
           const bool large = shorter.records.size() >= 1'000;
           shorter.records.resize(shorter.records.size() - (large ? 1 : 0));
           auto result = store.inner.Upsert(context, shorter);
           if (result.ok() && large) {
             ++result->written;
           }
           return result;
         };
       },
       {"BigBatch"}},
      {"writes the good rows of a refused batch",
       [](auto& store) {
         store.upsert = [&store](const RequestContext& context, const WriteRequest& request) {
           auto result = store.inner.Upsert(context, request);
           for (const auto& record : request.records) {
             if (!result.ok()) {
               static_cast<void>(store.inner.Upsert(
                   context, {.collection = request.collection, .records = {record}}));
             }
           }
           return result;
         };
       },
       {"BadRowsAreRefused"}},
      {"insert overwrites",
       [](auto& store) {
         store.insert = [&store](const RequestContext& context, const WriteRequest& request) {
           return store.inner.Upsert(context, request);
         };
       },
       {"InsertRefusesKeysThatExist", "InsertRefusesKeysTwiceInABatch",
        "ConcurrentInsertsHaveOneWinner"}},
      {"upsert keeps fields that the new record does not have",
       [](auto& store) {
         store.upsert = [&store](const RequestContext& context, const WriteRequest& request) {
           WriteRequest merged = request;
           for (auto& record : merged.records) {
             const auto old =
                 store.inner.Get(context, {.collection = request.collection, .keys = {record.key}});
             if (old.ok() && old->records[0]) {
               record.fields.insert(old->records[0]->fields.begin(), old->records[0]->fields.end());
             }
           }
           return store.inner.Upsert(context, merged);
         };
       },
       {"UpsertReplacesWholeRecords"}},
      {"drops a delete: it says OK and keeps the record",
       [](auto& store) {
         store.remove = [](const RequestContext&, const DeleteRequest& request) {
           return Result<DeleteResult>(DeleteResult{.deleted = request.keys.size()});
         };
       },
       {"DeleteForgets", "DeleteWithFilter", "RandomFiltersInDeletes"}},
      {"a delete ignores its filter",
       [](auto& store) {
         store.remove = [&store](const RequestContext& context, DeleteRequest request) {
           request.filter = nullptr;
           return store.inner.Delete(context, request);
         };
       },
       {"DeleteWithFilter", "RandomFiltersInDeletes"}},
      {"a delete takes the key of every tenant",
       [](auto& store) {
         store.remove = [&store](const RequestContext& context, DeleteRequest request) {
           const auto keys = request.keys;
           for (auto key : keys) {
             key.tenant = key.tenant == "a" ? "b" : key.tenant;
             request.keys.push_back(key);
           }
           return store.inner.Delete(context, request);
         };
       },
       {"SameKeyInTwoTenants"}},
  };
}

std::vector<Defect> FenceDefects() {
  const auto unfenced = [](auto& store) {
    OnWrite(store, [](WriteRequest& request) { request.fence.reset(); });
  };
  return {
      {"fences of writes are ignored", unfenced, {"OlderFenceDoesNotOverwrite"}},
      {"fences of deletes are ignored",
       [](auto& store) {
         store.remove = [&store](const RequestContext& context, DeleteRequest request) {
           request.fence.reset();
           return store.inner.Delete(context, request);
         };
       },
       {"OlderFenceDoesNotDelete"}},
      {"deleted records forget their fence",
       [](auto& store) {
         OnWrite(store, [&store](WriteRequest& request) {
           const RequestContext context;
           for (const auto& record : request.records) {
             const auto old =
                 store.inner.Get(context, {.collection = request.collection, .keys = {record.key}});
             if (old.ok() && !old->records[0]) {
               request.fence.reset();
             }
           }
         });
       },
       {"OlderFenceDoesNotResurrect"}},
      {"equal fences do not write",
       [](auto& store) {
         auto seen = std::make_shared<std::set<std::pair<std::string, uint64_t>>>();
         store.upsert = [&store, seen](const RequestContext& context, const WriteRequest& request) {
           if (request.fence && !seen->emplace(request.collection, *request.fence).second) {
             return Result<WriteResult>(WriteResult{.written = request.records.size()});
           }
           return store.inner.Upsert(context, request);
         };
       },
       {"OlderFenceDoesNotOverwrite"}},
  };
}

}  // namespace

std::vector<Defect> WriteDefects() {
  std::vector<Defect> all;
  for (const auto& group : {ValueDefects(), VectorDefects(), BatchDefects(), FenceDefects()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

}  // namespace roost::conformance
