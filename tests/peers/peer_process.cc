#include "peer_process.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

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

/// The scripts end everything within 40 seconds.
constexpr std::chrono::seconds kStopTime{60};

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

/// True when /proc calls each thread stopped ("T"), and when there is no such process.
bool AllThreadsStopped(pid_t process) {
  std::error_code gone;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator thread("/proc/" + std::to_string(process) + "/task",
                                                  gone);
       !gone && thread != end; thread.increment(gone)) {
    std::ifstream file(thread->path() / "stat");
    const std::string stat{std::istreambuf_iterator<char>(file), {}};
    // "PID (name) STATE …"; the name may hold anything.
    const size_t name_end = stat.rfind(") ");
    if (name_end != std::string::npos && stat.at(name_end + 2) != 'T') {
      return false;
    }
  }
  return true;
}

}  // namespace

Error PeerProcess::CannotStart(const std::string& why) const {
  return Unavailable(launching_.script + " cannot start a server for the tests: " + why +
                     "\n  `./dev test` installs what it needs; interpreter: " + Python() +
                     " (ROOST_PYTHON names another)");
}

std::string PeerProcess::Field(const std::string& name) const {
  const size_t at = ready_line_.find(" " + name + "=");
  if (at == std::string::npos) {
    return {};
  }
  const size_t begin = at + name.size() + 2;
  return ready_line_.substr(begin, ready_line_.find(' ', begin) - begin);
}

uint16_t PeerProcess::PortField(const std::string& name) const {
  return static_cast<uint16_t>(std::atoi(Field(name).c_str()));
}

Status PeerProcess::MakeFolder() {
  if (launching_.data_folder.empty()) {
    std::string pattern = (std::filesystem::temp_directory_path() / "roost-peer-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      return CannotStart("no temporary folder could be made");
    }
    launching_.data_folder = pattern;
    own_folder_ = true;
  }
  return {};
}

Status PeerProcess::Start() {
  TRY(Begin());
  return Await();
}

Status PeerProcess::Begin() {
  TRY(MakeFolder());
  const std::string python = Python();
  // The script gives up first, so that its message is the one that is shown.
  const auto patience = std::to_string((launching_.timeout * 9 / 10).count());
  std::vector<std::string> words = {python,
                                    ROOST_PEERS_FOLDER "/" + launching_.script,
                                    launching_.data_folder,
                                    "--parent",
                                    std::to_string(getpid()),
                                    "--timeout",
                                    patience};
  if (own_folder_) {
    words.push_back("--remove-orphan");
  }
  words.insert(words.end(), launching_.arguments.begin(), launching_.arguments.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
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
  output_ = output[0];
  return script_ < 0 ? CannotStart("no process could be made") : Status();
}

Status PeerProcess::Await() {
  Status ready = ReadReadyLine();
  close(std::exchange(output_, -1));
  if (!ready.ok()) {
    End(false);
  }
  return ready;
}

Status PeerProcess::ReadReadyLine() {
  bool ready = false;
  const std::string line = ReadUntilReady(output_, launching_.timeout, ready);
  if (!ready) {
    return CannotStart("no READY line within " + std::to_string(launching_.timeout.count()) +
                       " s; it printed:\n" + line);
  }
  ready_line_ = line;
  return uri().empty() || port() == 0 ? CannotStart("its READY line is odd: " + line) : Status();
}

void PeerProcess::End(bool gently) {
  if (script_ > 0) {
    kill(script_, gently ? SIGTERM : SIGQUIT);
    if (!EndsWithin(script_, kStopTime)) {
      kill(script_, SIGKILL);  // The kernel then ends the server.
      waitpid(script_, nullptr, 0);
    }
    script_ = -1;
  }
}

void PeerProcess::Freeze(bool frozen) {
  const pid_t server = std::atoi(Field("server").c_str());
  if (script_ <= 0 || server <= 0) {
    return;
  }
  kill(server, frozen ? SIGSTOP : SIGCONT);
  // The threads of a server stop one after the other, and the last may still answer.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (frozen && !AllThreadsStopped(server) && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

PeerProcess::~PeerProcess() {
  End(!own_folder_);
  if (output_ >= 0) {
    close(output_);
  }
  if (own_folder_) {
    std::error_code ignored;
    std::filesystem::remove_all(launching_.data_folder, ignored);
  }
}

Status StartTogether(const std::vector<PeerProcess*>& peers) {
  for (PeerProcess* peer : peers) {
    TRY(peer->Begin());
  }
  for (PeerProcess* peer : peers) {
    TRY(peer->Await());
  }
  return {};
}

void FailWithoutPeer(const Error& error) {
  std::fprintf(stderr, "%s\n", error.ToString().c_str());
  std::exit(1);
}

}  // namespace roost
