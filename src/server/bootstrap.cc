#include "server/bootstrap.h"

#include <algorithm>

#include <fmt/format.h>

#include "adapters/all.h"
#include "adapters/embedded/embedded_store.h"
#include "server/bootstrap_settings.h"
#include "server/config.h"
#include "store/validate.h"

namespace roost {

namespace {

bool IsEmbedded(const std::string& address) { return address.starts_with(kEmbeddedScheme); }

/// Where `roost serve --data FOLDER` keeps the embedded store.
std::string EmbeddedFolder(const std::string& address) {
  return JoinPath(address.substr(kEmbeddedScheme.size()), "store");
}

bool AnyMissing(const std::vector<PreparationStep>& steps) {
  return std::any_of(steps.begin(), steps.end(),
                     [](const PreparationStep& step) { return step.state == StepState::kMissing; });
}

/// "OpenSearch 2.19.1", "weaviate 1.27.0".
std::string VersionOf(const Capabilities& store) {
  const bool bare = store.version.empty() || (store.version[0] >= '0' && store.version[0] <= '9');
  return bare ? store.store + " " + store.version : store.version;
}

/// What the store does other than one might expect.
std::vector<std::string> Notes(const PreparationRequest& request, const Capabilities& store,
                               const std::vector<PreparationStep>& beside) {
  std::vector<std::string> notes;
  for (const VectorFieldSchema& field : request.schema.vectors) {
    if (field.dimension > store.max_indexed_dimension && field.index != "FLAT") {
      notes.push_back(fmt::format(
          "vector \"{}\" has more than the {} dimensions that this store indexes; it is searched "
          "exactly, and slower",
          field.name, store.max_indexed_dimension));
    }
  }
  if (!request.tenants.empty() && beside.empty()) {
    notes.emplace_back("tenants need nothing here: the first write of each makes it");
  }
  return notes;
}

}  // namespace

Bootstrap::Bootstrap(Options options)
    : options_(options), file_system_(MakePosixFileSystem()), metrics_(MakeMetrics()) {}

Bootstrap::~Bootstrap() = default;

RequestContext Bootstrap::Context() const {
  return RequestContext().WithTimeout(options_.step_timeout);
}

size_t Bootstrap::Count(StepState state) const {
  size_t count = 0;
  for (const PreparedStore& store : stores_) {
    count += store.Count(state);
  }
  return count;
}

Result<Bootstrap::StorePtr> Bootstrap::Open(const std::string& address) {
  if (!IsEmbedded(address)) {
    auto connected = ConnectStore(address, {.connections = 2}, clock_, *metrics_);
    unreachable_ = connected.code() == Code::kUnavailable;
    opened_.emplace_back(TRY(std::move(connected)));
    return opened_.back();
  }
  EmbeddedOptions options;
  options.folder = EmbeddedFolder(address);
  options.background = false;
  auto opened = OpenEmbeddedStore(options, *file_system_, clock_, *metrics_);
  if (opened.code() == Code::kFailedPrecondition) {
    return FailedPrecondition(opened.error().message +
                              "; while a server runs there, use `roost collections create`");
  }
  opened_.emplace_back(TRY(std::move(opened)));
  return opened_.back();
}

Result<std::vector<PreparationStep>> Bootstrap::LookBefore(const std::string& address) const {
  if (!IsEmbedded(address)) {
    return LookBeforeConnecting(Context(), address);
  }
  const std::string folder = EmbeddedFolder(address);
  std::vector<PreparationStep> steps(1);
  steps[0].kind = "folder";
  steps[0].name = folder;
  if (TRY(file_system_->Exists(folder))) {
    steps[0].state = StepState::kThere;
  } else {
    steps[0].make = [this, folder](const RequestContext&) {
      return file_system_->CreateDirectories(folder);
    };
  }
  return steps;
}

Result<PreparationStep> Bootstrap::LookAtCollection(VectorStore& store,
                                                    const CollectionSchema& schema) {
  TRY(store.CheckHealth(Context()));
  TRY(ValidateSchema(schema, store.capabilities()));
  PreparationStep step{.kind = "collection", .name = schema.name};
  const auto there = store.DescribeCollection(Context(), schema.name);
  if (there.code() == Code::kNotFound) {
    return step;
  }
  step.advice = fmt::format(
      "choose another --collection, or drop this one (`roost collections drop {}`)", schema.name);
  if (there.code() == Code::kFailedPrecondition || there.code() == Code::kDataLoss) {
    step.differences = {there.error().message};  // others made or changed it; it says what to do
    step.advice.clear();
  } else if (!there.ok()) {
    return there.error();
  } else {
    step.differences = SchemaDifferences(there->schema, schema);
  }
  step.state = step.differences.empty() ? StepState::kThere : StepState::kDifferent;
  return step;
}

Status Bootstrap::Look(const std::string& address, const PreparationRequest& request) {
  if (!request.alias.empty() && (IsEmbedded(address) || !HasAliases(address))) {
    return Unimplemented(fmt::format("{}: Roost makes no aliases in this store; leave --alias out",
                                     HideSecrets(address)));
  }
  PreparedStore prepared;
  prepared.address = HideSecrets(address);
  auto before = LookBefore(address);
  unreachable_ = before.code() == Code::kUnavailable;
  prepared.steps = TRY(std::move(before));
  PreparationStep collection{.kind = "collection", .name = request.schema.name};
  std::vector<PreparationStep> beside;
  StorePtr store;
  if (AnyMissing(prepared.steps)) {
    // Connecting would make it. So there is no collection either.
    TRY(ValidateSchema(request.schema, IsEmbedded(address) ? EmbeddedCapabilities()
                                                           : DeclaredCapabilities(address)));
  } else {
    store = TRY(Open(address));
    prepared.version = VersionOf(store->capabilities());
    collection = TRY(LookAtCollection(*store, request.schema));
    if (!IsEmbedded(address)) {
      beside = TRY(LookBesideCollection(Context(), address, request, clock_, *metrics_));
    }
    prepared.notes = Notes(request, store->capabilities(), beside);
  }
  if (collection.state == StepState::kMissing) {
    collection.make = [this, address, store,
                       schema = request.schema](const RequestContext& context) -> Status {
      const StorePtr target = store != nullptr ? store : TRY(Open(address));
      return target->CreateCollection(context, {.schema = schema});
    };
  }
  prepared.steps.push_back(std::move(collection));
  std::move(beside.begin(), beside.end(), std::back_inserter(prepared.steps));
  stores_.push_back(std::move(prepared));
  return {};
}

Status Bootstrap::Make() {
  CHECK(Count(StepState::kDifferent) == 0);
  for (PreparedStore& store : stores_) {
    for (PreparationStep& step : store.steps) {
      if (step.state != StepState::kMissing) {
        continue;
      }
      if (options_.give_up()) {
        return Cancelled("interrupted; the same command goes on where this one stopped");
      }
      const Status made = step.make(Context());
      if (!made.ok()) {
        return made.error().Within(
            fmt::format("{}: making {} \"{}\"", store.address, step.kind, step.name));
      }
      step.state = StepState::kMade;
    }
  }
  return {};
}

}  // namespace roost
