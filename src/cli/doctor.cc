#include <algorithm>
#include <ostream>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file_system.h"
#include "base/json.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/records_view.h"
#include "server/config.h"
#include "server/wiring.h"

namespace roost {

namespace {

namespace bj = boost::json;

constexpr uint64_t kLittleDisk = uint64_t{5} << 30;
constexpr uint64_t kHardlyAnyDisk = uint64_t{1} << 30;
constexpr rlim_t kFewFiles = 4'096;
constexpr std::chrono::milliseconds kSlowSync{20};
constexpr int kSyncs = 9;

enum class Verdict { kOk, kWarning, kProblem };

struct Finding {
  Verdict verdict = Verdict::kOk;
  std::string check;
  std::string found;
  std::string advice;
};
using Findings = std::vector<Finding>;

std::string_view VerdictName(Verdict verdict) {
  return verdict == Verdict::kOk ? "ok" : verdict == Verdict::kWarning ? "warning" : "problem";
}

// The process that holds the folder, by the pid in its lock file and a try to take the lock.
void CheckLock(FileSystem& disk, const std::string& folder, Findings& findings) {
  const std::string lock = JoinPath(JoinPath(folder, "store"), "LOCK");
  const Result<bool> there = disk.Exists(lock);
  if (!there.ok() || !*there) {
    findings.push_back({Verdict::kOk, "lock", "no server has used the folder yet", ""});
    return;
  }
  const Result<std::string> pid = disk.ReadAll(lock, 64);
  const std::string owner = pid.ok() ? std::string(Trim(*pid)) : std::string();
  const bool alive = !owner.empty() && ::access(("/proc/" + owner).c_str(), F_OK) == 0;
  findings.push_back(
      {Verdict::kOk, "lock", alive ? fmt::format("in use by process {}", owner) : "free", ""});
}

Result<std::chrono::nanoseconds> MeasureSync(FileSystem& disk, const std::string& path) {
  const std::unique_ptr<File> file = TRY(disk.Open(path, OpenMode::kReadWrite));
  const std::string block(4'096, 'r');
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i < kSyncs; ++i) {
    TRY(file->Append(std::as_bytes(std::span(block))));
    const auto start = std::chrono::steady_clock::now();
    TRY(file->Sync());
    times.push_back(std::chrono::steady_clock::now() - start);
  }
  std::nth_element(times.begin(), times.begin() + kSyncs / 2, times.end());
  return times[kSyncs / 2];
}

// The nearest folder that is there: where `roost serve` would make the data folder.
std::string Present(FileSystem& disk, std::string folder) {
  for (;;) {
    const Result<bool> there = disk.Exists(folder);
    if ((there.ok() && *there) || folder == "." || folder == "/" || folder.empty()) {
      return folder.empty() ? "/" : folder;
    }
    folder = ParentPath(folder);
  }
}

void CheckFolder(FileSystem& disk, const std::string& wanted, Findings& findings) {
  const std::string folder = Present(disk, wanted);
  const std::string note =
      folder == wanted ? wanted : fmt::format("{} (to be made in {})", wanted, folder);
  const std::string probe = JoinPath(folder, fmt::format(".roost-doctor-{}", ::getpid()));
  const Result<std::chrono::nanoseconds> sync = MeasureSync(disk, probe);
  const Status removed = disk.Remove(probe);
  if (!sync.ok() || !removed.ok()) {
    const Error error = sync.ok() ? removed.error() : sync.error();
    findings.push_back(
        {Verdict::kProblem, "data folder", error.message,
         "give the server's user the right to write there, or choose another --data"});
    return;
  }
  findings.push_back({Verdict::kOk, "data folder", note + " can be written", ""});
  const bool slow = *sync > kSlowSync;
  findings.push_back(
      {slow ? Verdict::kWarning : Verdict::kOk, "sync",
       fmt::format("median of {} writes made durable: {}", kSyncs, HumanDuration(*sync)),
       slow ? "each acknowledged write waits for this; a local SSD is faster, many "
              "writers share one sync"
            : ""});
  if (const Result<uint64_t> free = disk.FreeBytes(folder); free.ok()) {
    const Verdict verdict = *free < kHardlyAnyDisk ? Verdict::kProblem
                            : *free < kLittleDisk  ? Verdict::kWarning
                                                   : Verdict::kOk;
    findings.push_back({verdict, "disk", HumanBytes(*free) + " free",
                        verdict == Verdict::kOk ? ""
                                                : "writes are refused below "
                                                  "embedded.min_free_disk_bytes; make room"});
  }
  CheckLock(disk, wanted, findings);
}

void CheckLimits(Findings& findings) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    const bool few = limit.rlim_cur < kFewFiles;
    findings.push_back({few ? Verdict::kWarning : Verdict::kOk, "open files",
                        fmt::format("at most {}", limit.rlim_cur),
                        few ? "connections and segments need files: raise it (ulimit -n, "
                              "LimitNOFILE= of systemd)"
                            : ""});
  }
}

void CheckProcessor(Findings& findings) {
  std::string found;
  found += __builtin_cpu_supports("avx2") ? " AVX2" : "";
  found += __builtin_cpu_supports("fma") ? " FMA" : "";
  found += __builtin_cpu_supports("avx512f") ? " AVX-512" : "";
  const bool fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  findings.push_back({fast ? Verdict::kOk : Verdict::kWarning, "processor",
                      fast ? "has" + found : "has neither AVX2 nor FMA",
                      fast ? "" : "vectors are compared by plain code, several times slower"});
}

void CheckConfig(const Result<LoadedConfig>& config, Findings& findings) {
  if (config.ok()) {
    findings.push_back({Verdict::kOk, "configuration", "is valid", ""});
  } else {
    findings.push_back({Verdict::kProblem, "configuration", config.error().message,
                        "`roost config keys` lists the keys"});
  }
}

void CheckStores(Api& api, Findings& findings) {
  const Result<std::string> reply = api.Call("GET", "/v1/stores");
  const Result<bj::value> document = reply.ok() ? ParseReply(*reply) : reply.error();
  const bj::value* stores = document.ok() ? document->get_object().if_contains("stores") : nullptr;
  if (stores == nullptr || !stores->is_array()) {
    findings.push_back({Verdict::kProblem, "stores",
                        document.ok() ? "the reply names none" : document.error().message, ""});
    return;
  }
  for (const bj::value& store : stores->get_array()) {
    const bj::value* healthy = store.get_object().if_contains("healthy");
    const bool well = healthy != nullptr && healthy->is_bool() && healthy->get_bool();
    findings.push_back(
        {well ? Verdict::kOk : Verdict::kProblem, "store " + TextMember(store, "name"),
         well
             ? fmt::format("{} {} answers", TextMember(store, "kind"), TextMember(store, "version"))
             : TextMember(store, "error"),
         well ? "" : "is the store running, and does its address hold?"});
  }
}

void CheckMoves(Api& api, Findings& findings) {
  const Result<std::string> reply = api.Call("GET", "/v1/migrations");
  const Result<bj::value> document = reply.ok() ? ParseReply(*reply) : reply.error();
  const bj::value* moves =
      document.ok() ? document->get_object().if_contains("migrations") : nullptr;
  if (moves == nullptr || !moves->is_array()) {
    return;
  }
  for (const bj::value& move : moves->get_array()) {
    if (const std::string trouble = TextMember(move, "last_error"); !trouble.empty()) {
      findings.push_back({Verdict::kWarning, "move " + TextMember(move, "id"), trouble,
                          "it goes on by itself; `roost move status` shows how"});
    }
  }
}

void CheckServer(Session& session, Findings& findings) {
  Api& api = session.api();
  const Result<std::string> version = api.Call("GET", "/v1/version");
  if (!version.ok()) {
    findings.push_back({Verdict::kProblem, "server", version.error().message,
                        "start it with `roost serve`, or look only at this machine: --local"});
    return;
  }
  const Result<bj::value> document = ParseReply(*version);
  const std::string theirs = document.ok() ? TextMember(*document, "version") : std::string();
  const bool same = theirs == Version();
  findings.push_back({same ? Verdict::kOk : Verdict::kWarning, "server",
                      fmt::format("{} answers, version {}", api.url(), theirs),
                      same ? "" : "this program has version " + Version() + "; use equal ones"});
  const Result<std::string> ready = api.Call("GET", "/readyz");
  findings.push_back({ready.ok() ? Verdict::kOk : Verdict::kProblem, "ready",
                      ready.ok() ? "takes requests" : ready.error().message,
                      ready.ok() ? "" : "it is starting or stopping, or its control store fails"});
  CheckStores(api, findings);
  CheckMoves(api, findings);
}

void PrintFindings(Session& session, const Findings& findings) {
  if (session.json()) {
    std::string out = R"({"findings":[)";
    for (const Finding& finding : findings) {
      out += out.back() == '[' ? "{" : ",{";
      out += fmt::format(R"("verdict":"{}","check":)", VerdictName(finding.verdict));
      AppendJsonString(out, finding.check);
      out += R"(,"found":)";
      AppendJsonString(out, finding.found);
      out += R"(,"advice":)";
      AppendJsonString(out, finding.advice);
      out.push_back('}');
    }
    session.PrintJson(out + "]}");
    return;
  }
  constexpr const char* kColors[] = {"\033[32m", "\033[33m", "\033[31m"};
  for (const Finding& finding : findings) {
    const bool color = session.terminal().color;
    session.Say(fmt::format(
        "{}{:<8}{} {}: {}", color ? kColors[static_cast<size_t>(finding.verdict)] : "",
        VerdictName(finding.verdict), color ? "\033[0m" : "", finding.check, finding.found));
    if (!finding.advice.empty()) {
      session.Say("         → " + finding.advice);
    }
  }
}

struct DoctorOptions {
  ConfigFlags flags;
  std::string data;
  bool local = false;
};

Result<ExitStatus> RunDoctor(Session& session, DoctorOptions& options) {
  if (!options.data.empty()) {
    options.flags.values["data.folder"] = options.data;
  }
  Findings findings;
  const Result<LoadedConfig> config = LoadConfig(options.flags, ReadEnvironment());
  CheckConfig(config, findings);
  const std::unique_ptr<FileSystem> disk = MakePosixFileSystem();
  CheckFolder(*disk, config.ok() ? config->config.data_folder : ServerConfig().data_folder,
              findings);
  CheckLimits(findings);
  CheckProcessor(findings);
  if (!options.local) {
    CheckServer(session, findings);
  }
  PrintFindings(session, findings);
  const bool sound = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.verdict == Verdict::kProblem;
  });
  return sound ? ExitStatus::kOk : ExitStatus::kFailed;
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* doctor = AddCommand(app, "doctor", "Check this machine, the server and its stores",
                                "roost doctor --data /var/lib/roost\nroost doctor --local");
  doctor->add_option("--config", options->flags.file, "Configuration file (roost.yaml)")
      ->type_name("FILE");
  doctor->add_option("--data", options->data, "The data folder, else as configured")
      ->type_name("FOLDER");
  doctor->add_flag("--local", options->local, "Do not ask the server");
  doctor->callback([&session, options] {
    session.action = [&session, options] { return RunDoctor(session, *options); };
  });
}

}  // namespace roost
