#!/usr/bin/env python3
"""The tidy check: sizes of files and functions, and texts that do not belong into the product."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

MAX_SOURCE_LINES = 500
MAX_TEST_LINES = 700
MAX_HEADER_LINES = 200
MAX_FUNCTION_LINES = 70
MAX_LINE_BYTES = 100

# Paths of machines and hosts of registries have no place in the tree.
FORBIDDEN = re.compile(r"(?<!\w)/(home|root|Users)/\w|(deb\.debian|pypi|crates|npmjs|maven)\.(org|io|com)\b")
MARKERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def function_sizes(lines):
    """(first line, length) of each function: a line at the left edge that ends in `{` and holds `(`,
    up to the `}` at the left edge."""
    start = None
    for number, line in enumerate(lines, 1):
        if start is None:
            opens = line.endswith("{") and not line.startswith((" ", "}", "namespace", "struct",
                                                                 "class", "enum", "union", "#"))
            if opens and ("(" in line or ")" in line):
                start = number
        elif line.startswith("}"):
            yield start, number - start + 1
            start = None


def check_code(path, lines, problems):
    name = path.relative_to(ROOT)
    limit = (MAX_HEADER_LINES if path.suffix == ".h" else
             MAX_TEST_LINES if path.stem.endswith("_test") or "tests" in name.parts or
             "conformance" in name.parts else MAX_SOURCE_LINES)
    if len(lines) > limit:
        problems.append(f"{name}: {len(lines)} lines; at most {limit}: split it by idea")
    if not path.stem.endswith("_test"):
        for start, length in function_sizes(lines):
            if length > MAX_FUNCTION_LINES:
                problems.append(f"{name}:{start}: a function of {length} lines; "
                                f"at most {MAX_FUNCTION_LINES}")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_BYTES and "R\"" not in line and "http" not in line:
            problems.append(f"{name}:{number}: {len(line)} characters; at most {MAX_LINE_BYTES}")


def main():
    problems = []
    checked = 0
    for path in files():
        if path.suffix not in (".h", ".cc", ".py", ".md", ".sql", ".cmake", ".txt", ".yaml", ".sh", ""):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        checked += 1
        if path.suffix in (".h", ".cc"):
            check_code(path, lines, problems)
        if path == pathlib.Path(__file__).resolve():
            continue
        for number, line in enumerate(lines, 1):
            for pattern, what in ((FORBIDDEN, "names a machine's path or a registry's host"),
                                  (MARKERS, "leaves work undone")):
                if pattern.search(line):
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {what}: {line.strip()[:80]}")
    for problem in problems:
        print(problem)
    print(f"tidy: {checked} files, {len(problems)} problems")
    return 1 if problems or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
