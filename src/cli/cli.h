#pragma once

namespace roost {

/// `roost …`: reads the command line, does what it says and returns the exit status (docs/cli.md).
int RunCommandLine(int argc, char** argv);

}  // namespace roost
