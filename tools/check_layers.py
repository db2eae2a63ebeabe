#!/usr/bin/env python3
"""Proves the layers of ARCHITECTURE.md: each folder of src/ includes only itself and folders above it."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"

# From the ground up. Folders on one line do not know each other unless BESIDE says so.
LAYERS = [
    ["base"],
    ["telemetry"],
    ["net"],
    ["store", "metadata"],
    ["adapters", "router", "auth"],
    ["migration"],
    ["statement"],
    ["governance"],
    ["gateway"],
    ["protocol"],
    ["server", "cli"],
]
# Exceptions, each with its reason.
BESIDE = {
    ("router", "metadata"): "routes last in the control store",
    ("server", "cli"): "one program: main.cc holds both",
    ("cli", "server"): "`roost config` and `roost serve` read the server's configuration",
}
# Only the wiring may know concrete stores.
ADAPTER_USERS = {"adapters", "server"}


def layer_of(folder):
    for level, names in enumerate(LAYERS):
        if folder in names:
            return level
    return None


def check(path, problems):
    folder = path.relative_to(SOURCE).parts[0]
    level = layer_of(folder)
    if level is None:
        problems.append(f"{path.relative_to(ROOT)}: folder \"{folder}\" has no layer; add it to LAYERS")
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'#include "([^"/]+)/', line)
        if not match or match[1] == folder or match[1] == "tests":
            continue
        other = match[1]
        other_level = layer_of(other)
        where = f"{path.relative_to(ROOT)}:{number}"
        if other_level is None:
            problems.append(f"{where}: includes unknown folder \"{other}\"")
        elif other == "adapters" and folder not in ADAPTER_USERS and not path.stem.endswith("_test"):
            problems.append(f"{where}: only the server's wiring may include adapters")
        elif (folder, other) not in BESIDE and other_level >= level:
            problems.append(f"{where}: {folder} may not include {other}: it is not above it")


def main():
    problems = []
    files = [p for p in SOURCE.rglob("*") if p.suffix in (".h", ".cc")]
    for path in sorted(files):
        check(path, problems)
    for problem in problems:
        print(problem)
    print(f"layers: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
