// Client requests at the gateways, and the gateways' leases.
#include <algorithm>

#include "schedule.h"

namespace roost::simulation {

void Schedule::StartRequest() {
  const auto session = static_cast<int8_t>(dice_.Below(kSessions));
  Request* free = nullptr;
  for (Request& request : requests_) {
    if (request.phase != Phase::kFree && request.session == session) {
      return;  // A session has one request at a time.
    }
    if (request.phase == Phase::kFree) {
      free = &request;
    }
  }
  if (free == nullptr) {
    return;
  }
  Request request{.session = session,
                  .gateway = static_cast<uint8_t>(dice_.Below(kGateways)),
                  .key = static_cast<uint8_t>(dice_.Below(keys_)),
                  .read = dice_.Chance(reads_),
                  .turn = ++turn_};
  request.remove = !request.read && dice_.Chance(deletes_);
  if (request.read) {
    request.floor = std::max(acknowledged_[request.key], read_floor_[request.session][request.key]);
  } else {
    request.id = static_cast<uint32_t>(written_.size());
    written_.push_back({});
  }
  *free = request;
  Begin(*free);
}

/// Whether the gateway may still act for this request: its lease runs, and it never lapsed since
/// the request began. In between the control store may have counted the gateway dead and gone on.
bool Schedule::MaySend(const Request& request) const {
  const Gateway& gateway = gateways_[request.gateway];
  return Leased(request.gateway) &&
         (request.lease_generation == gateway.lease_generation || Bug(PlantedBug::kLapseForgotten));
}

bool Schedule::MayAnswer(const Request& request) const {
  return MaySend(request) || Bug(PlantedBug::kStaleReads);
}

void Schedule::Begin(Request& request) {
  const Gateway& gateway = gateways_[request.gateway];
  if (!Leased(request.gateway) && !(request.read && Bug(PlantedBug::kStaleReads))) {
    Note("gateway %llu refuses: its lease ran out", request.gateway);
    if (!request.read) {
      written_[request.id].failed = true;
    }
    request = {};
    return;
  }
  request.lease_generation = gateway.lease_generation;
  request.epoch = gateway.route.epoch;
  request.shape = ShapeOf(gateway.route, policy_);
  if (request.read) {
    return BeginRead(request);
  }
  if (request.shape.hold_writes) {
    request.phase = Phase::kHeld;
    return;
  }
  const auto index = static_cast<uint8_t>(&request - requests_);
  if (Bug(PlantedBug::kOneWayAfterCutover) && request.shape.authority_is_b) {
    request.shape.capture = request.shape.mirror = false;
  }
  if (!request.shape.capture) {
    request.phase = Phase::kAtAuthority;
    Note("gateway %llu writes %llu to key %llu", request.gateway, request.id, request.key);
    request.expires = SendWrite(Actor::kRequest, index, request.turn, request.shape.authority_is_b,
                                request.key, {request.id, !request.remove}, 0, true);
    return;
  }
  request.phase = Phase::kMarking;
  request.token = ++token_;
  Note(request.remove ? "gateway %llu marks delete %llu of key %llu"
                      : "gateway %llu marks write %llu of key %llu",
       request.gateway, request.id, request.key);
  Send({.op = Op::kMark,
        .actor = Actor::kRequest,
        .index = index,
        .turn = request.turn,
        .key = request.key,
        .cell = {request.id, !request.remove},
        .token = request.token,
        .payload = request.shape.capture_payload});
}

void Schedule::BeginRead(Request& request) {
  const auto index = static_cast<uint8_t>(&request - requests_);
  const bool from_b = dice_.Below(100) < request.shape.read_percent_b;
  if (from_b && !request.shape.authority_is_b && !Bug(PlantedBug::kUncheckedReads)) {
    request.phase = Phase::kAsking;
    Send({.op = Op::kAskSettled,
          .actor = Actor::kRequest,
          .index = index,
          .turn = request.turn,
          .key = request.key});
    return;
  }
  request.phase = Phase::kReading;
  SendRead(Actor::kRequest, index, request.turn, from_b ? 1 : 0, request.key);
}

/// Held writes begin as soon as the gateway serves a route that lets them pass.
void Schedule::ProceedHeld() {
  for (Request& request : requests_) {
    if (request.phase == Phase::kHeld) {
      request.phase = Phase::kFree;
      Begin(request);
    }
  }
}

void Schedule::OnRequestReply(const Message& message) {
  Request& request = requests_[message.index];
  if (request.phase == Phase::kFree || request.turn != message.turn) {
    return;
  }
  switch (request.phase) {
    case Phase::kMarking:
      return OnMarked(request, message);
    case Phase::kAtAuthority:
      return OnAuthority(request, message.failed);
    case Phase::kAtMirror:
      request.mirrored = !message.failed || Bug(PlantedBug::kMirrorFailureIgnored);
      return Finish(request);
    case Phase::kFinishing:
      // Only now a failure is certain: had the bracket been recovered, the kept payload might still
      // be applied, and the client's outcome is UNKNOWN.
      if (request.outcome == AuthorityOutcome::kFailed && message.flag) {
        written_[request.id].failed = true;
      }
      request = {};
      return;
    case Phase::kAsking:
      request.phase = Phase::kReading;
      SendRead(Actor::kRequest, message.index, request.turn, message.flag ? 1 : 0, request.key);
      return;
    case Phase::kReading:
      return OnRead(request, message);
    default:
      return;
  }
}

void Schedule::OnMarked(Request& request, const Message& message) {
  if (message.failed) {  // Refused, or another write of the key is out: nothing was sent.
    written_[request.id].failed = true;
    request = {};
    return;
  }
  request.mark = message.mark;
  if (!MaySend(request)) {
    request.outcome = AuthorityOutcome::kFailed;
    return Fail(request);
  }
  request.phase = Phase::kAtAuthority;
  request.turn = ++turn_;
  request.expires =
      SendWrite(Actor::kRequest, message.index, request.turn, request.shape.authority_is_b,
                request.key, {request.id, !request.remove}, request.mark.stamp, true);
}

void Schedule::OnAuthority(Request& request, bool failed) {
  request.outcome = failed ? AuthorityOutcome::kFailed : AuthorityOutcome::kWritten;
  if (failed) {
    return Fail(request);
  }
  Answer(request, true);
  if (!request.shape.capture) {
    request = {};
    return;
  }
  if (!request.shape.mirror || !MaySend(request) || dice_.Chance(skip_mirror_)) {
    request.mirrored = Bug(PlantedBug::kMirrorFailureIgnored);
    return Finish(request);
  }
  request.phase = Phase::kAtMirror;
  request.turn = ++turn_;
  request.expires = SendWrite(Actor::kRequest, static_cast<uint8_t>(&request - requests_),
                              request.turn, request.shape.authority_is_b ? 0 : 1, request.key,
                              {request.id, !request.remove}, request.mark.stamp);
}

/// The authority has nothing of this write, for certain. Where payloads are kept the client hears
/// of it after FINISH has withdrawn this one's; elsewhere at once.
void Schedule::Fail(Request& request) {
  if (!request.shape.capture_payload || !request.shape.capture || Bug(PlantedBug::kEarlyFailure)) {
    written_[request.id].failed = true;
    Answer(request, false);
  }
  if (!request.shape.capture) {
    request = {};
    return;
  }
  Finish(request);
}

void Schedule::OnRead(Request& request, const Message& message) {
  if (!message.failed && MayAnswer(request)) {
    const Written& written = written_[message.cell.id];
    Note("session %llu reads write %llu of key %llu", request.session, message.cell.id,
         request.key);
    const uint32_t order = OrderOf(message.cell, request.key);
    if (written.failed) {
      Violate("a failed write is visible");
    } else if (order < request.floor) {
      Violate("a read went back");
    }
    uint32_t& floor = read_floor_[request.session][request.key];
    floor = std::max(floor, order);
  }
  request = {};
}

/// Tells the client. An acknowledged write must never be lost from here on.
void Schedule::Answer(Request& request, bool acknowledged) {
  if (request.session >= 0 && acknowledged) {
    const uint32_t order = written_[request.id].order;
    Note("write %llu of key %llu is acknowledged", request.id, request.key);
    acknowledged_[request.key] = std::max(acknowledged_[request.key], order);
  }
  request.session = -1;
}

void Schedule::Finish(Request& request) {
  request.phase = Phase::kFinishing;
  request.turn = ++turn_;
  Send({.op = Op::kFinish,
        .actor = Actor::kRequest,
        .index = static_cast<uint8_t>(&request - requests_),
        .turn = request.turn,
        .key = request.key,
        .cell = {request.id, !request.remove},
        .mark = request.mark,
        .flag = request.mirrored,
        .outcome = request.outcome,
        .token = request.token});
}

void Schedule::AwaitHorizon(Request& request) {
  request.phase = Phase::kHorizon;
  request.turn = ++turn_;
  if (Bug(PlantedBug::kNoHorizon)) {
    request.expires = now_;
  }
}

void Schedule::TimeoutRequest(Request& request) {
  switch (request.phase) {
    case Phase::kAtAuthority:
      request.outcome = AuthorityOutcome::kUnknown;
      Note("the client of write %llu gets UNKNOWN", request.id);
      Answer(request, false);
      return AwaitHorizon(request);
    case Phase::kAtMirror:
      Note("the mirror gives no answer about write %llu", request.id);
      return AwaitHorizon(request);
    case Phase::kReading:
      request = {};
      return;
    default:
      return;
  }
}

void Schedule::PassHorizons() {
  for (Request& request : requests_) {
    if (request.phase == Phase::kHorizon && request.expires <= now_) {
      if (request.shape.capture) {
        Finish(request);
      } else {
        request = {};
      }
    }
  }
}

void Schedule::CrashGateway(int g) {
  Gateway& gateway = gateways_[g];
  Hit(Fault::kGatewayCrash);
  Note("gateway %llu crashes", static_cast<uint64_t>(g));
  // Its connection to the control store breaks: what was sent either arrived or never does.
  for (size_t i = bag_.size(); i-- > 0;) {
    const Message message = bag_[i];
    const bool mine = message.actor == Actor::kGateway
                          ? message.index == g
                          : message.actor == Actor::kRequest &&
                                requests_[message.index].gateway == g &&
                                requests_[message.index].turn == message.turn;
    if (!mine || message.op == Op::kRead || message.op == Op::kWrite) {
      continue;
    }
    bag_[i] = bag_.back();
    bag_.pop_back();
    if (!message.reply && message.op != Op::kPoll && dice_.Chance(500)) {
      DeliverToControl(message);
    }
  }
  Ghost ghost{.last_seen = gateway.last_seen, .acked_epoch = gateway.acked_epoch};
  for (Request& request : requests_) {
    if (request.phase == Phase::kFree || request.gateway != g) {
      continue;
    }
    if (request.token != 0) {
      ghost.brackets.push_back({request.key, request.token});
      if (Bug(PlantedBug::kMarkInMemory)) {
        std::erase(rows_[request.key].row.inflight, request.token);
      }
    }
    request = {};
  }
  std::erase_if(bag_, [&](const Message& message) {  // Replies that were on their way to it.
    return message.reply && message.actor == Actor::kRequest &&
           requests_[message.index].turn != message.turn;
  });
  if (!Bug(PlantedBug::kRestartKeepsIdentity)) {
    ghosts_.push_back(std::move(ghost));
  } else {
    ghosts_.push_back({.acked_epoch = ~uint64_t{0}, .brackets = std::move(ghost.brackets)});
  }
  gateway = {.turn = ++turn_, .last_seen = now_};
}

bool Schedule::Acknowledged(int g) const {
  const Gateway& gateway = gateways_[g];
  return std::none_of(std::begin(requests_), std::end(requests_), [&](const Request& request) {
    return request.phase != Phase::kFree && request.phase != Phase::kHeld && request.gateway == g &&
           request.epoch != gateway.route.epoch;
  });
}

void Schedule::Poll(int g) {
  Gateway& gateway = gateways_[g];
  if (gateway.cut_off) {
    if (!Leased(g) && gateway.lease_until != 0 && !gateway.lapse_counted) {
      gateway.lapse_counted = true;
      Hit(Fault::kLeaseLapse);
    }
    return;
  }
  Send({.op = Op::kPoll,
        .actor = Actor::kGateway,
        .index = static_cast<uint8_t>(g),
        .turn = gateway.turn,
        .sent = now_,
        .epoch = Acknowledged(g) ? gateway.route.epoch : 0});
}

void Schedule::OnPollReply(const Message& message) {
  Gateway& gateway = gateways_[message.index];
  if (gateway.turn != message.turn || gateway.cut_off) {
    return;
  }
  if (!Leased(message.index)) {
    ++gateway.lease_generation;
    gateway.lapse_counted = false;
  }
  gateway.lease_until = std::max(gateway.lease_until, message.sent + kLease);
  if (message.progress.epoch >= gateway.route.epoch || gateway.lease_until == 0) {
    gateway.route = message.progress;
  }
  if (Leased(message.index)) {
    ProceedHeld();
  }
}

}  // namespace roost::simulation
