#include "protocol/rest/migration_codec.h"

#include <fmt/format.h>

#include "base/json.h"
#include "protocol/rest/json_body.h"

namespace roost::rest {

namespace {

// The whole-number members of a policy, for reading and writing alike.
struct PolicyNumber {
  std::string_view name;
  uint32_t MigrationPolicy::* member;
  int64_t least;
  int64_t most;
};
constexpr PolicyNumber kPolicyNumbers[] = {
    {"ramp_hold_ms", &MigrationPolicy::ramp_hold_ms, 0, 86'400'000},
    {"shadow_hold_ms", &MigrationPolicy::shadow_hold_ms, 0, 86'400'000},
    {"fence_max_ms", &MigrationPolicy::fence_max_ms, 10, 60'000},
    {"fence_retry_ms", &MigrationPolicy::fence_retry_ms, 10, 3'600'000},
    {"chunk_rows", &MigrationPolicy::chunk_rows, 10, 100'000},
    {"backfill_workers", &MigrationPolicy::backfill_workers, 1, 64},
    {"backfill_rows_per_second", &MigrationPolicy::backfill_rows_per_second, 0, 100'000'000},
    {"applier_attempts", &MigrationPolicy::applier_attempts, 1, 1'000},
    {"oldest_dirty_max_ms", &MigrationPolicy::oldest_dirty_max_ms, 10, 3'600'000},
};

void ReadPolicy(sj::value value, MigrationPolicy& policy) {
  for (auto member : value.get_object()) {
    const std::string_view name = member.unescaped_key();
    sj::value content = member.value();
    const auto* number = std::find_if(std::begin(kPolicyNumbers), std::end(kPolicyNumbers),
                                      [&](const PolicyNumber& n) { return n.name == name; });
    if (number != std::end(kPolicyNumbers)) {
      policy.*number->member =
          static_cast<uint32_t>(ReadInt(name, content, number->least, number->most));
    } else if (name == "shadow_percent") {
      policy.shadow_percent = ReadDouble(name, content);
      if (!(policy.shadow_percent >= 0 && policy.shadow_percent <= 100)) {
        FailBody("\"shadow_percent\" must be from 0 to 100");
      }
    } else if (name == "ramp_percents") {
      policy.ramp_percents.clear();
      for (auto step : content.get_array()) {
        policy.ramp_percents.push_back(static_cast<uint32_t>(ReadInt(name, step.value(), 0, 100)));
      }
      if (policy.ramp_percents.empty() ||
          !std::is_sorted(policy.ramp_percents.begin(), policy.ramp_percents.end())) {
        FailBody("\"ramp_percents\" must be rising percentages, e.g. [1, 10, 50, 100]");
      }
    } else if (name == "max_dirty_rows") {
      policy.max_dirty_rows = static_cast<uint64_t>(ReadInt(name, content, 1'000, 1'000'000'000));
    } else {
      std::string known = "shadow_percent, ramp_percents, max_dirty_rows";
      for (const PolicyNumber& n : kPolicyNumbers) {
        known += fmt::format(", {}", n.name);
      }
      UnknownMember(name, known);
    }
  }
}

class ObjectWriter {
 public:
  void Text(std::string_view name, std::string_view text) {
    Name(name);
    AppendJsonString(out_, text);
  }
  void Number(std::string_view name, uint64_t number) {
    Name(name);
    AppendJsonUint(out_, number);
  }
  void Signed(std::string_view name, int64_t number) {
    Name(name);
    AppendJsonInt(out_, number);
  }
  void Double(std::string_view name, double number) {
    Name(name);
    AppendJsonDouble(out_, number);
  }
  void Flag(std::string_view name, bool flag) { Raw(name, flag ? "true" : "false"); }
  void Raw(std::string_view name, std::string_view json) {
    Name(name);
    out_ += json;
  }
  void List(std::string_view name, const std::vector<std::string>& texts) {
    Name(name);
    out_.push_back('[');
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i > 0) {
        out_.push_back(',');
      }
      AppendJsonString(out_, texts[i]);
    }
    out_.push_back(']');
  }
  std::string Finish() && { return std::move(out_) + "}"; }

 private:
  void Name(std::string_view name) {
    if (out_.size() > 1) {
      out_.push_back(',');
    }
    AppendJsonString(out_, name);
    out_.push_back(':');
  }
  std::string out_ = "{";
};

std::string EncodePolicy(const MigrationPolicy& policy) {
  ObjectWriter writer;
  writer.Double("shadow_percent", policy.shadow_percent);
  writer.Raw("ramp_percents", fmt::format("[{}]", fmt::join(policy.ramp_percents, ",")));
  writer.Number("max_dirty_rows", policy.max_dirty_rows);
  for (const PolicyNumber& number : kPolicyNumbers) {
    writer.Number(number.name, policy.*number.member);
  }
  return std::move(writer).Finish();
}

std::string EncodeCounts(const MigrationCounts& counts) {
  ObjectWriter writer;
  writer.Number("source_records", counts.source_records);
  writer.Number("copied", counts.copied);
  writer.Number("chunks", counts.chunks);
  writer.Number("chunks_closed", counts.chunks_closed);
  writer.Number("applied", counts.applied);
  writer.Number("dirty", counts.dirty);
  writer.Number("inflight", counts.inflight);
  writer.Number("mirrored", counts.mirrored);
  writer.Number("mirror_errors", counts.mirror_errors);
  writer.Number("verified", counts.verified);
  writer.Number("verified_equal", counts.verified_equal);
  writer.Number("missing", counts.missing);
  writer.Number("extra", counts.extra);
  writer.Number("different", counts.different);
  writer.Number("dead_letters", counts.dead_letters);
  writer.Number("shadow_reads", counts.shadow_reads);
  writer.Number("shadow_dropped", counts.shadow_dropped);
  writer.Double("shadow_overlap", counts.shadow_overlap);
  writer.Double("copy_rows_per_second", counts.copy_rows_per_second);
  writer.Double("last_fence_ms", counts.last_fence_ms);
  return std::move(writer).Finish();
}

std::string_view CommandName(MigrationCommand command) {
  switch (command) {
    case MigrationCommand::kRollback:
      return "rollback";
    case MigrationCommand::kCommit:
      return "commit";
    case MigrationCommand::kAbort:
      return "abort";
    default:
      return "";
  }
}

}  // namespace

Result<MigrationSpec> DecodeMigration(const std::string& body) {
  MigrationSpec spec;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "collection") {
      spec.collection = ReadString(name, value);
    } else if (name == "target") {
      spec.target = ReadString(name, value);
    } else if (name == "automatic") {
      spec.automatic = ReadBool(name, value);
    } else if (name == "allow_existing_target") {
      spec.allow_existing_target = ReadBool(name, value);
    } else if (name == "policy") {
      ReadPolicy(value, spec.policy);
    } else if (name == "mapping") {
      const std::string_view text = simdjson::to_json_string(value);
      Result<SchemaMapping> mapping = MappingFromJson(text);
      if (!mapping.ok()) {
        FailBody(mapping.error().message);
      }
      spec.mapping = *std::move(mapping);
    } else {
      UnknownMember(name, "collection, target, automatic, allow_existing_target, policy, mapping");
    }
  }));
  if (spec.collection.empty() || spec.target.empty()) {
    return InvalidArgument("a move needs \"collection\" and \"target\" (the name of a store)");
  }
  return spec;
}

Result<std::optional<MigrationState>> DecodeAdvance(const std::string& body) {
  std::string to;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name != "to") {
      UnknownMember(name, "to");
    }
    to = ReadString(name, value);
  }));
  if (to.empty()) {
    return std::optional<MigrationState>();
  }
  const MigrationState state = TRY(ParseMigrationState(to));
  return std::optional<MigrationState>(state);
}

std::string EncodeMigration(const MigrationStatus& status) {
  ObjectWriter writer;
  writer.Text("id", status.id);
  writer.Text("collection", status.spec.collection);
  writer.Text("source", status.source);
  writer.Text("target", status.spec.target);
  writer.Text("state", MigrationStateName(status.progress.state));
  writer.Text("goal", MigrationStateName(status.progress.goal));
  writer.Text("command", CommandName(status.progress.command));
  writer.Number("epoch", status.progress.epoch);
  const auto& ramp = status.spec.policy.ramp_percents;
  const RouteShape shape = ShapeOf(status.progress, status.spec.policy);
  writer.Number("read_percent_target", shape.read_percent_b);
  writer.Number("ramp_steps", ramp.size());
  writer.Flag("verified", status.progress.verified);
  writer.Flag("final", IsFinal(status.progress.state));
  writer.Text("waiting_for", status.waiting_for);
  writer.Text("last_error", status.last_error);
  writer.Signed("created_micros", status.created_micros);
  writer.Signed("changed_micros", status.changed_micros);
  if (status.seconds_left) {
    writer.Double("seconds_left", *status.seconds_left);
  }
  writer.Raw("counts", EncodeCounts(status.counts));
  writer.Raw("policy", EncodePolicy(status.spec.policy));
  return std::move(writer).Finish();
}

namespace {

std::string EncodeFidelity(const std::vector<FidelityRow>& rows) {
  std::string out = "[";
  for (const FidelityRow& row : rows) {
    ObjectWriter writer;
    writer.Text("what", row.what);
    writer.Text("from", row.from);
    writer.Text("to", row.to);
    writer.Text("fidelity", FidelityName(row.fidelity));
    writer.Text("remark", row.remark);
    out += out.size() > 1 ? "," : "";
    out += std::move(writer).Finish();
  }
  return out + "]";
}

}  // namespace

std::string EncodePlan(const MigrationPlan& plan) {
  ObjectWriter writer;
  writer.Text("source", plan.source);
  writer.Text("target", plan.target);
  writer.Number("records", plan.records);
  writer.Number("chunks", plan.chunks);
  writer.List("steps", plan.steps);
  writer.Raw("fidelity", EncodeFidelity(plan.fidelity));
  if (plan.mapping.has_value()) {
    writer.Raw("mapping", MappingToJson(*plan.mapping));
  }
  writer.List("notes", plan.notes);
  writer.List("refusals", plan.refusals);
  return std::move(writer).Finish();
}

std::string EncodeDeadLetters(const std::vector<DeadLetter>& letters) {
  std::string out = R"({"dead_letters":[)";
  for (size_t i = 0; i < letters.size(); ++i) {
    ObjectWriter writer;
    writer.Text("key", letters[i].key);
    writer.Text("error", letters[i].error);
    writer.Number("attempts", letters[i].attempts);
    writer.Signed("since_micros", letters[i].since_micros);
    out += i > 0 ? "," : "";
    out += std::move(writer).Finish();
  }
  return out + "]}";
}

}  // namespace roost::rest
