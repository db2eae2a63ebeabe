#pragma once

// How every call on a collection runs; for the store's own source files.

#include <string>

#include "adapters/milvus/milvus_impl.h"

namespace roost {

template <typename T>
Result<T> MilvusStore::With(const RequestContext& outer, std::chrono::milliseconds timeout,
                            const std::string& collection, const Body<T>& body) {
  constexpr int kMaxAttempts = 4;
  const RequestContext context = outer.WithTimeout(timeout);
  TRY(context.CheckAlive("asking " + server_.name));
  bool loaded = false;
  for (int attempt = 1;; ++attempt) {
    const MilvusLayoutPtr layout = TRY(catalogue_.Find(context, collection));
    Result<T> result = body(Session{context, *layout});
    if (result.ok() || attempt == kMaxAttempts) {
      return result;
    }
    const Error& error = result.error();
    if (IsNotLoaded(error) && !loaded) {
      loaded = true;
      TRY(Load(context, *layout));
      continue;
    }
    const bool may_be_stale = error.code == Code::kInvalidArgument ||
                              error.code == Code::kNotFound || error.code == Code::kInternal ||
                              error.code == Code::kDataLoss ||
                              error.code == Code::kFailedPrecondition;
    if (!may_be_stale) {
      return result;
    }
    const Result<bool> current = catalogue_.IsCurrent(context, *layout);
    if (!current.ok() || *current) {
      return result;
    }
    catalogue_.Forget(collection);
  }
}

}  // namespace roost
