#!/usr/bin/env python3
"""Runs clang-tidy (rules in .clang-tidy) over the sources that changed since a commit, or over all."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def changed(base):
    listed = subprocess.run(["git", "diff", "--name-only", "--diff-filter=d", base], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.splitlines()
    return {str(ROOT / name) for name in listed}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build/debug", help="folder with compile_commands.json")
    parser.add_argument("--since", help="only files changed since this commit")
    parser.add_argument("files", nargs="*", help="only these")
    options = parser.parse_args()
    commands = json.loads((ROOT / options.build / "compile_commands.json").read_text())
    files = sorted({c["file"] for c in commands if c["file"].endswith(".cc") and
                    c["file"].startswith(str(ROOT / "src"))})
    if options.files:
        files = [f for f in files if any(f.endswith(name) for name in options.files)]
    elif options.since:
        files = [f for f in files if f in changed(options.since)]
    failed = []

    def run(file):
        done = subprocess.run(["clang-tidy-19", "--quiet", "-p", str(ROOT / options.build), file],
                              capture_output=True, text=True)
        return file, done.returncode, done.stdout

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, status, output in pool.map(run, files):
            if status:
                failed.append(file)
                print(output)
    print(f"clang-tidy: {len(files)} files, {len(failed)} with findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
