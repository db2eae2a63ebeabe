#include "cli/cli.h"

int main(int argc, char** argv) { return roost::RunCommandLine(argc, argv); }
