#!/usr/bin/env python3
"""Every C++ file is as clang-format leaves it (`./dev format` mends it)."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.cc", "*.h"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.splitlines()
    files = [name for name in listed if (ROOT / name).is_file()]
    run = subprocess.run(["clang-format-19", "--dry-run", "--Werror", *files], cwd=ROOT,
                         capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in run.stderr.splitlines() if "error:" in line})
    for name in wrong:
        print(f"{name}: not formatted; run ./dev format")
    print(f"format: {len(files)} files, {len(wrong)} problems")
    return 1 if wrong or run.returncode or not files else 0


if __name__ == "__main__":
    sys.exit(main())
