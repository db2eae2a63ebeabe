#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"
#include "cli/command_tree.h"

namespace roost {

namespace {

constexpr std::string_view kExitStatus = R"(.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed, or a part of it did: rows were refused, a check found a problem, a move was aborted.
.TP
.B 2
The command line, or what it asks for, is wrong.
.TP
.B 3
There is no such collection, record, move or file.
.TP
.B 4
Nobody answers at the server's address, or a store's (bootstrap).
.TP
.B 5
Refused in the present state: it exists already, it is moving, it is not verified yet.
.TP
.B 6
Busy, not ready, or not done in time; the same command may work a little later.
.TP
.B 130
Interrupted.
)";

constexpr std::string_view kEnvironment = R"(.SH ENVIRONMENT
.TP
.B ROOST_URL
Address of the server, where \-\-url does not tell.
.TP
.B ROOST_SECTION_KEY
Keys of the configuration of \fBroost serve\fR, e.g. ROOST_SERVER_PORT; \fBroost config keys\fR
lists them.
.TP
.B ML_VECTOR_BACKEND, ML_VECTOR_DIMENSION, ML_OPENSEARCH_HOSTS, MILVUS_CLUSTER_ENDPOINT and more
The store that \fBroost bootstrap\fR prepares, where options do not tell.
.TP
.B ROOST_PARQUET_MODULE
The file libroost_parquet.so, where it is not beside the program.
.TP
.B NO_COLOR
Not empty: no colours.
)";

// Text without a meaning of its own for roff.
std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
  }
  const bool control = out.starts_with('.') || out.starts_with('\'');
  return control ? "\\&" + out : out;
}

std::string Synopsis(const std::string& path, const CommandNode& node) {
  std::string out = fmt::format("\\fB{}\\fR", Plain(path));
  if (!node.commands.empty()) {
    out += " \\fICOMMAND\\fR";
  }
  for (const OptionNode& argument : node.arguments) {
    const std::string text =
        fmt::format("\\fI{}\\fR{}", Plain(argument.names.front()), argument.many ? "..." : "");
    out += argument.required ? " " + text : " [" + text + "]";
  }
  return out + " [\\fIOPTION\\fR...]\n";
}

void AppendOption(std::string& out, const OptionNode& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) {
    names.push_back("\\fB" + Plain(name) + "\\fR");
  }
  out += fmt::format(".TP\n{}", fmt::join(names, ", "));
  out += option.flag() ? "\n" : fmt::format(" \\fI{}\\fR\n", Plain(option.value));
  out += Plain(option.help) + (option.required ? " (required)" : "") + "\n";
}

void AppendExample(std::string& out, const std::string& example) {
  out += ".PP\n.nf\n.RS\n";
  for (const std::string_view line : Split(example, '\n')) {
    if (!Trim(line).empty()) {
      out += Plain(Trim(line)) + "\n";
    }
  }
  out += ".RE\n.fi\n";
}

}  // namespace

std::string ManPage(const CommandNode& root, std::string_view version) {
  std::string out = fmt::format(".TH ROOST 1 \"\" \"Roost {}\" \"User Commands\"\n", version);
  out += fmt::format(".SH NAME\nroost \\- {}\n.SH SYNOPSIS\n{}", Plain(root.summary),
                     Synopsis("roost", root));
  out += ".SH OPTIONS OF ALL COMMANDS\n";
  for (const OptionNode& option : root.options) {
    AppendOption(out, option);
  }
  out += ".SH COMMANDS\n";
  for (const auto& [path, node] : AllCommands(root)) {
    if (node == &root) {
      continue;
    }
    out += ".SS " + Synopsis(path, *node) + Plain(node->summary) + ".\n";
    for (const OptionNode& option : node->options) {
      AppendOption(out, option);
    }
    if (!node->example.empty()) {
      AppendExample(out, node->example);
    }
  }
  out += kExitStatus;
  out += kEnvironment;
  return out;
}

}  // namespace roost
