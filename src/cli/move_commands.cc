#include <ostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/move_view.h"
#include "cli/plan_view.h"
#include "cli/records_view.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct MoveOptions {
  std::string id;
  std::string collection;
  std::string target;
  std::string to;
  bool dry_run = false;
  bool automatic = false;
  bool allow_existing = false;
  bool watch = false;
  std::string mapping;              // file
  std::string save_mapping;         // file
  std::vector<std::string> policy;  // KEY=VALUE
  double interval_seconds = 0.5;
};
using OptionsPtr = std::shared_ptr<MoveOptions>;
using Run = Result<ExitStatus> (*)(Session&, const MoveOptions&);

std::string MovePath(const std::string& id, std::string_view verb = {}) {
  return "/v1/migrations/" + PercentEncode(id) + std::string(verb);
}

void Show(Session& session, const std::string& reply, const bj::value& move) {
  if (session.json()) {
    session.PrintJson(reply);
    return;
  }
  for (const std::string& line : MoveScreen(move, session.terminal().width)) {
    session.Say(line);
  }
}

// Redraws in place on a terminal; elsewhere a line for each change.
class Watcher {
 public:
  explicit Watcher(Session& session) : session_(session) {}

  void Take(const std::string& reply, const bj::value& move) {
    const std::string line = MoveLine(move);
    if (session_.json()) {
      if (line != last_) {
        session_.PrintJson(reply);
      }
    } else if (session_.terminal().out_is_tty) {
      Redraw(MoveScreen(move, session_.terminal().width));
    } else if (line != last_) {
      session_.Say(line);
    }
    session_.terminal().out << std::flush;
    last_ = line;
  }

 private:
  void Redraw(const std::vector<std::string>& lines) {
    if (drawn_ > 0) {
      session_.terminal().out << "\033[" << drawn_ << "A\033[J";
    }
    for (const std::string& line : lines) {
      session_.Say(line);
    }
    drawn_ = lines.size();
  }

  Session& session_;
  std::string last_;
  size_t drawn_ = 0;
};

Result<ExitStatus> Watch(Session& session, const MoveOptions& options) {
  CatchInterrupts();
  Watcher watcher(session);
  const auto interval = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(options.interval_seconds));
  std::string reply = TRY(session.api().Call("GET", MovePath(options.id)));
  for (;;) {
    const bj::value move = TRY(ParseReply(reply));
    watcher.Take(reply, move);
    if (MoveRests(move)) {
      return TextMember(move, "state") == "ABORTED" ? ExitStatus::kFailed : ExitStatus::kOk;
    }
    if (Interrupted()) {
      session.Note("roost: no longer watching; the move goes on");
      return ExitStatus::kInterrupted;
    }
    session.clock().SleepFor(interval, {});
    // A server that restarts in the middle of a move comes back; the move goes on.
    reply = TRY(session.api().CallPatiently("GET", MovePath(options.id), std::string(), true));
  }
}

// A value of the policy: a number, or a list of them.
Result<bj::value> PolicyValue(const std::string& text) {
  bj::error_code error;
  const bool list = text.find(',') != std::string::npos && !text.starts_with('[');
  bj::value value = bj::parse(list ? "[" + text + "]" : text, error);
  if (error) {
    return InvalidArgument(
        fmt::format("--policy: \"{}\" is no number and no list of numbers", text));
  }
  return value;
}

Result<std::string> CreateBody(const MoveOptions& options) {
  bj::object body;
  body["collection"] = options.collection;
  body["target"] = options.target;
  body["automatic"] = options.automatic;
  body["allow_existing_target"] = options.allow_existing;
  if (!options.mapping.empty()) {
    bj::error_code error;
    bj::value mapping = bj::parse(TRY(ReadInput(options.mapping)), error);
    if (error) {
      return InvalidArgument("--mapping: " + options.mapping + " is no JSON: " + error.message());
    }
    body["mapping"] = std::move(mapping);
  }
  bj::object policy;
  for (const std::string& pair : options.policy) {
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return InvalidArgument("--policy must be KEY=VALUE, e.g. ramp_percents=1,10,50,100");
    }
    const std::string key = pair.substr(0, equals);
    bj::value value = TRY(PolicyValue(pair.substr(equals + 1)));
    if (key == "ramp_percents" && value.is_number()) {
      value = bj::array{value};
    }
    policy[key] = std::move(value);
  }
  if (!policy.empty()) {
    body["policy"] = std::move(policy);
  }
  return bj::serialize(body);
}

Result<ExitStatus> ShowPlan(Session& session, const MoveOptions& options,
                            const std::string& reply) {
  const bj::value plan = TRY(ParseReply(reply));
  if (!options.save_mapping.empty()) {
    TRY(SaveMapping(plan, options.save_mapping));
    session.Note("the mapping is in " + options.save_mapping);
  }
  if (session.json()) {
    session.PrintJson(reply);
  } else {
    PrintPlan(session, plan);
  }
  return PlanIsRefused(plan) ? ExitStatus::kRefused : ExitStatus::kOk;
}

Result<ExitStatus> ShowOrWatch(Session& session, const MoveOptions& options,
                               const std::string& reply) {
  const bj::value move = TRY(ParseReply(reply));
  if (!options.watch) {
    Show(session, reply, move);
    return ExitStatus::kOk;
  }
  MoveOptions watched = options;
  watched.id = TextMember(move, "id");
  session.Note("watching " + watched.id);
  return Watch(session, watched);
}

Result<ExitStatus> Create(Session& session, const MoveOptions& options) {
  const std::string body = TRY(CreateBody(options));
  if (!options.save_mapping.empty() && !options.dry_run) {
    return InvalidArgument("--save-mapping goes with --dry-run");
  }
  const std::string path = options.dry_run ? "/v1/migrations?dry_run=true" : "/v1/migrations";
  const std::string reply = TRY(session.api().Call("POST", path, body));
  return options.dry_run ? ShowPlan(session, options, reply) : ShowOrWatch(session, options, reply);
}

Result<ExitStatus> ShowStatus(Session& session, const MoveOptions& options) {
  const std::string reply = TRY(session.api().Call("GET", MovePath(options.id)));
  const bj::value move = TRY(ParseReply(reply));
  Show(session, reply, move);
  return ExitStatus::kOk;
}

Result<ExitStatus> List(Session& session, const MoveOptions&) {
  const std::string reply = TRY(session.api().Call("GET", "/v1/migrations"));
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* moves = document.get_object().if_contains("migrations");
  if (session.json()) {
    session.PrintJson(reply);
  } else if (moves != nullptr && moves->is_array()) {
    session.Print(MovesTable(moves->get_array()));
  }
  return ExitStatus::kOk;
}

Result<ExitStatus> Advance(Session& session, const MoveOptions& options) {
  bj::object body;
  if (!options.to.empty()) {
    body["to"] = options.to;
  }
  const std::string reply =
      TRY(session.api().Call("POST", MovePath(options.id, "/advance"), bj::serialize(body)));
  return ShowOrWatch(session, options, reply);
}

template <const char* const& verb>
Result<ExitStatus> Command(Session& session, const MoveOptions& options) {
  const std::string reply = TRY(session.api().Call("POST", MovePath(options.id, verb)));
  return ShowOrWatch(session, options, reply);
}
constexpr const char* kRollback = "/rollback";
constexpr const char* kCommit = "/commit";
constexpr const char* kAbort = "/abort";

Result<ExitStatus> DeadLetters(Session& session, const MoveOptions& options) {
  const std::string reply = TRY(session.api().Call("GET", MovePath(options.id, "/dead-letters")));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  Table table({"key", "attempts", "error"});
  if (const bj::value* letters = document.get_object().if_contains("dead_letters")) {
    for (const bj::value& letter : letters->get_array()) {
      table.AddRow({TextMember(letter, "key"), fmt::format("{}", NumberMember(letter, "attempts")),
                    TextMember(letter, "error")});
    }
  }
  session.Print(table);
  return ExitStatus::kOk;
}

Result<ExitStatus> Redrive(Session& session, const MoveOptions& options) {
  const std::string reply = TRY(session.api().Call("POST", MovePath(options.id, "/redrive")));
  if (session.json()) {
    session.PrintJson(reply);
  }
  session.Say("the dead letters are tried again");
  return ExitStatus::kOk;
}

CLI::App* AddVerb(CLI::App& move, Session& session, const OptionsPtr& options,
                  const std::string& name, const std::string& summary, Run run,
                  const std::string& more = "") {
  const bool has_id = name != "create" && name != "list";
  const std::string example = more.empty() ? "roost move " + name + (has_id ? " ID" : "") : more;
  CLI::App* command = AddCommand(move, name, summary, example);
  if (has_id) {
    command->add_option("ID", options->id, "The move")->type_name("")->required();
  }
  command->callback([&session, options, run] {
    session.action = [&session, options, run] { return run(session, *options); };
  });
  return command;
}

void AddWatching(CLI::App* command, const OptionsPtr& options) {
  command->add_flag("--watch", options->watch, "Show progress until it rests");
}

void AddCreate(CLI::App& move, Session& session, const OptionsPtr& options) {
  CLI::App* create = AddVerb(
      move, session, options, "create", "Begin to move a collection to another store", Create,
      "roost move create -c books --target pg --dry-run --save-mapping books.json\n"
      "roost move create -c books --target pg --mapping books.json\n"
      "roost move create -c books --target pg --auto --policy ramp_percents=10,100 --watch");
  AddCollectionOption(*create, options->collection);
  create->add_option("--target", options->target, "The store to move to")
      ->type_name("STORE")
      ->required();
  create->add_flag("--dry-run", options->dry_run, "Only tell what would be done");
  create->add_option("--mapping", options->mapping, "How the target keeps it, - for standard input")
      ->type_name("FILE");
  create
      ->add_option("--save-mapping", options->save_mapping,
                   "With --dry-run: write the mapping there, to be edited")
      ->type_name("FILE");
  create->add_flag("--auto", options->automatic,
                   "Go to REVERSED without further commands; else it stops at VERIFY");
  create->add_flag("--allow-existing-target", options->allow_existing,
                   "The store already holds the collection: bring it to the same state");
  create->add_option("--policy", options->policy, "How the move is done; may be given again")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddWatching(create, options);
}

}  // namespace

void AddMoveCommands(CLI::App& app, Session& session) {
  auto options = std::make_shared<MoveOptions>();
  CLI::App* move = AddCommand(app, "move", "Move collections between stores while they are used",
                              "roost move create -c books --target pg --watch\nroost move list");
  move->require_subcommand(1);
  AddCreate(*move, session, options);
  AddVerb(*move, session, options, "list", "Print all moves, newest first", List);
  AddVerb(*move, session, options, "status", "Print how a move stands", ShowStatus);
  CLI::App* watch = AddVerb(*move, session, options, "watch",
                            "Show a move until it is at its goal or final", Watch);
  watch->add_option("--interval", options->interval_seconds, "How often to look (0.5)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.05, 3'600.0).description(""));
  CLI::App* advance = AddVerb(*move, session, options, "advance",
                              "Let a move go on to a state, or to its next gate", Advance,
                              "roost move advance ID --to REVERSED --watch");
  AddChoice(*advance, "--to", options->to, "CAPTURE|COPY|MIRROR|VERIFY|SHADOW|RAMP|REVERSED",
            "Else to the next gate");
  AddWatching(advance, options);
  AddWatching(
      AddVerb(*move, session, options, "rollback",
              "Make the old store the authority again; nothing is lost", Command<kRollback>),
      options);
  AddWatching(AddVerb(*move, session, options, "commit",
                      "End a move: the old store no longer follows", Command<kCommit>),
              options);
  AddWatching(
      AddVerb(*move, session, options, "abort",
              "Give a move up before the cut-over; the old store goes on alone", Command<kAbort>),
      options);
  AddVerb(*move, session, options, "dead-letters", "Print keys that could not be brought over",
          DeadLetters);
  AddVerb(*move, session, options, "redrive", "Try the dead letters again", Redrive);
}

}  // namespace roost
