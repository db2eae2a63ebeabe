#include "adapters/milvus/milvus_alias.h"

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

/// A server of its own for the steps, which may be made after whoever looked is gone.
struct Beside {
  SystemRandom random;
  MilvusServer server;
};

Status MakeAlias(Beside& beside, const RequestContext& context, const std::string& alias,
                 const std::string& collection) {
  pb::CreateAliasRequest request;
  request.set_db_name(beside.server.database);
  request.set_alias(alias);
  request.set_collection_name(collection);
  TRY(CallMilvus<milvus::proto::common::Status>(*beside.server.client, beside.server.name, context,
                                                "CreateAlias", request, GrpcEffect::kWrite));
  return {};
}

/// The collection that Milvus finds under a name, as it is called itself; empty: none.
Result<std::string> Target(Beside& beside, const RequestContext& context, const std::string& name) {
  pb::DescribeCollectionRequest request;
  request.set_db_name(beside.server.database);
  request.set_collection_name(name);
  const auto reply =
      CallMilvus<pb::DescribeCollectionResponse>(*beside.server.client, beside.server.name, context,
                                                 "DescribeCollection", request, GrpcEffect::kRead);
  if (reply.ok()) {
    return reply->schema().name();
  }
  const bool absent = reply.code() == Code::kNotFound ||
                      reply.error().message.find("can't find collection") != std::string::npos;
  return absent ? Result<std::string>(std::string()) : reply.error();
}

}  // namespace

Result<std::vector<PreparationStep>> LookBesideMilvus(const RequestContext& context,
                                                      const MilvusOptions& options,
                                                      const PreparationRequest& request,
                                                      Clock& clock, Metrics& metrics) {
  std::vector<PreparationStep> steps;
  if (request.alias.empty()) {
    return steps;
  }
  auto beside = std::make_shared<Beside>();
  MilvusOptions effective = options;
  beside->server = TRY(ConnectMilvusServer(effective, clock, beside->random, metrics));
  PreparationStep& step = steps.emplace_back();
  step.kind = "alias";
  step.name = request.alias;
  const std::string wanted = MilvusCollectionName(request.schema.name);
  const std::string there = TRY(Target(*beside, context, request.alias));
  if (there.empty()) {
    step.make = [beside, alias = request.alias, wanted](const RequestContext& making) {
      return MakeAlias(*beside, making, alias, wanted);
    };
  } else if (there == wanted) {
    step.state = StepState::kThere;
  } else {
    step.state = StepState::kDifferent;
    step.differences = {"it is collection \"" + there + "\", wanted is \"" + wanted + "\""};
    step.advice = "drop or alter the alias with a Milvus client, or choose another one";
  }
  return steps;
}

}  // namespace roost
