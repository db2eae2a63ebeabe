#!/usr/bin/env python3
"""What one HTTP request costs in the edge, next to nginx answering the same, and what a search costs
through REST, next to the same search in process.

Run it as `./dev bench edge [--json FILE] [--markdown FILE] [--quick]`.

Trivial routes: roost_edge_bench_server (the real HttpServer) and nginx, one event loop or worker
each, give a fixed answer to wrk at 1, 64 and 1,000 connections in interleaved rounds. "inline" is
answered on the event loop, as health checks are: nginx's like. "worker" goes through the executor,
as every other request does; it is shown, and is not part of the goal.

Searches: `roost serve` with a collection like the demo's, loaded through REST; the engine alone gets
a copy of its folder and the same queries (edge_search.py, edge_bench_search.cc).

Everything is judged by CPU time, not by requests per second: that number belongs to the machine and
to whatever else runs on it. Needs wrk and nginx (Debian: wrk, nginx-light) and a Release build.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.bench import edge_search  # noqa: E402

BODY = '{"status":"ok","version":"0.1.0"}'
LEVELS = (1, 64, 1000)
IDLE_CONNECTIONS = 2000
MAX_CPU_RATIO = 1.5
MAX_IDLE_RSS_MB = 32.0
SEARCH_LEVELS = (1, 16, 64)
# Microseconds of sleep before each search in process.
ENGINES = {"engine": 0, "paused_engine": 100}
MAX_SEARCH_OVERHEAD_US = 60.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

NGINX_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200 '{body}'; }}
  }}
}}
"""


def fail(message):
    sys.exit(f"edge_bench: {message}")


def process_tree(pid):
    """`pid` and its children, one level: nginx's master and worker."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def cpu_seconds(pid):
    ticks = 0
    for one in process_tree(pid):
        fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_PER_SECOND


def threads_and_rss_mb(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    threads = int(re.search(r"Threads:\s+(\d+)", status).group(1))
    return threads, int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def wait_for_port(port):
    for _ in range(200):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    fail(f"nothing listens on port {port}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def roost_server(binary):
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(process.stdout.readline())
        yield process.pid, port
    finally:
        process.stdin.close()
        process.wait(timeout=30)


@contextlib.contextmanager
def nginx_server():
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        port = free_port()
        config = pathlib.Path(folder, "nginx.conf")
        config.write_text(NGINX_CONFIG.format(folder=folder, port=port, body=BODY))
        command = ["nginx", "-c", str(config), "-p", folder, "-e", f"{folder}/error.log"]
        process = subprocess.Popen(command)
        try:
            wait_for_port(port)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(timeout=30)


def to_ms(text):
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if match is None:
        return math.nan  # wrk gives none when hardly any reply came within its first second.
    number, unit = match.groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}[unit]


def load(pid, url, connections, seconds, script=None):
    """One wrk run: CPU microseconds of `pid` for each request, requests per second, p99."""
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    command += ["-s", str(script), url] if script else [url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = cpu_seconds(pid) - before
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    errors = re.search(r"Socket errors: (.*)|Non-2xx or 3xx responses: (\d+)", output)
    if requests == 0 or errors:
        fail(f"{url} at {connections} connections: {errors.group(0) if errors else 'no reply'}")
    return {
        "cpu_us": cpu / requests * 1e6,
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "p99_ms": to_ms(re.search(r"99%\s+(\S+)", output).group(1)),
    }


def compare(targets, rounds, seconds):
    """Medians by (level, target); the targets take turns, so that a busy moment hits all."""
    runs = {(level, name): [] for level in LEVELS for name in targets}
    for _ in range(rounds):
        for level in LEVELS:
            for name, (pid, url) in targets.items():
                runs[level, name].append(load(pid, url, level, seconds))
    return {
        key: {field: statistics.median(run[field] for run in values) for field in values[0]}
        for key, values in runs.items()
    }


def open_idle(port, count):
    """Half of them speak HTTP/1.1 and have had a reply, half HTTP/2 with its settings exchanged."""
    request = b"GET /inline HTTP/1.1\r\nHost: localhost\r\n\r\n"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
    sockets = []
    for i in range(count):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(preface if i % 2 else request)
        connection.recv(4096)
        sockets.append(connection)
    return sockets


def measure_idle(pid, port):
    threads_before, rss_before = threads_and_rss_mb(pid)
    sockets = open_idle(port, IDLE_CONNECTIONS)
    threads, rss = threads_and_rss_mb(pid)
    for connection in sockets:
        connection.close()
    return {"new_threads": threads - threads_before, "rss_mb": rss - rss_before}


def measure_search(roost_binary, engine_binary, quick, rounds, seconds):
    """Medians of CPU microseconds a search, of rounds in which REST and the engine take turns."""
    runs = {}
    with tempfile.TemporaryDirectory(prefix="edge-search-") as folder:
        records = 3_000 if quick else 20_000
        with edge_search.prepared(roost_binary, engine_binary, folder, records,
                                  cpu_seconds) as (roost, engine):
            url = f"http://127.0.0.1:{roost.port}/v1/collections/{edge_search.NAME}/search"
            engine.cpu_us(1)
            for _ in range(rounds):
                for name, pause_us in ENGINES.items():
                    runs.setdefault(name, []).append({"cpu_us": engine.cpu_us(8, pause_us)})
                for encoding in ("base64", "numbers"):
                    for level in SEARCH_LEVELS:
                        script = pathlib.Path(folder, encoding + ".lua")
                        runs.setdefault((encoding, level), []).append(
                            load(roost.process.pid, url, level, seconds, script))
    return {key: {field: statistics.median(run[field] for run in values) for field in values[0]}
            for key, values in runs.items()}


def trivial_rows(numbers):
    for level in LEVELS:
        for name in ("inline", "worker", "nginx"):
            cpu, rate, p99 = (numbers[f"{name}_{level}_{field}"]
                              for field in ("cpu_us", "per_second", "p99_ms"))
            yield (f"{level:,}", name, f"{cpu:.1f}", f"{cpu / numbers[f'nginx_{level}_cpu_us']:.2f}",
                   f"{rate:,.0f}", f"{p99:.2f}")


def search_rows(numbers):
    for name, words in (("engine", "engine in process"),
                        ("paused_engine", "engine in process, pauses between")):
        yield words, "", f"{numbers[f'search_{name}_cpu_us']:.0f}", "", "", ""
    for encoding in ("base64", "numbers"):
        for level in SEARCH_LEVELS:
            name = f"search_{encoding}_{level}"
            yield (f"REST, vector as {encoding}", f"{level}", f"{numbers[name + '_cpu_us']:.0f}",
                   f"{numbers[name + '_overhead_us']:.0f}", f"{numbers[name + '_per_second']:,.0f}",
                   f"{numbers[name + '_p99_ms']:.2f}")


TRIVIAL_HEAD = ("connections", "server", "CPU µs a request", "CPU / nginx", "requests/s", "p99 ms")
SEARCH_HEAD = ("search", "connections", "CPU µs a search", "beyond the engine", "searches/s", "p99 ms")


def print_table(head, rows):
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        print("  ".join(cell.ljust(width) if i < 1 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))))
    print()


def markdown_table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def markdown(result):
    """The section of docs/benchmarks.md about this benchmark."""
    numbers = result["figures"]
    return f"""## The HTTP edge

`./dev bench edge`. CPU time of the server's process for each request, medians of interleaved rounds;
requests per second and p99 belong to the machine, which also ran the load. nginx has one worker and
Roost one event loop; both give the same fixed answer. `inline` routes (health checks) are answered on
the event loop; all others pass to a worker thread, `worker`.

{markdown_table(TRIVIAL_HEAD, trivial_rows(numbers))}

Goal: `inline` costs at most {MAX_CPU_RATIO} times nginx's CPU at each number of connections.
{IDLE_CONNECTIONS:,} idle connections (half HTTP/1.1, half HTTP/2): {numbers["idle_new_threads"]} more threads,
{numbers["idle_rss_mb"]} MB more memory (goal: none, less than {MAX_IDLE_RSS_MB:.0f} MB).

Top {edge_search.TOP_K} of a collection like the demo's (256 dimensions, two fields of each hit returned), through
`roost serve` and by the engine alone in process, same files and queries. A processor that slept
{ENGINES["paused_engine"]} µs works slower at first; with one connection the server sleeps between any two requests, so it
is compared with an engine that pauses as well (the pause's own cost is taken off). Goal: at most
{MAX_SEARCH_OVERHEAD_US:.0f} µs beyond the engine with vectors as base64, as the clients send them.

{markdown_table(SEARCH_HEAD, search_rows(numbers))}
"""


def at_most(numbers, name, limit):
    return {"max": limit, "pass": numbers[name] <= limit}


def summarise(figures, idle, search):
    numbers = {"idle_new_threads": idle["new_threads"], "idle_rss_mb": round(idle["rss_mb"], 2)}
    for name in ENGINES:
        numbers[f"search_{name}_cpu_us"] = round(search[name]["cpu_us"], 2)
    for (level, name), row in figures.items():
        for field, value in row.items():
            numbers[f"{name}_{level}_{field}"] = round(value, 3)
    goals = {"idle_new_threads": at_most(numbers, "idle_new_threads", 0),
             "idle_rss_mb": at_most(numbers, "idle_rss_mb", MAX_IDLE_RSS_MB)}
    for level in LEVELS:
        ratio = figures[level, "inline"]["cpu_us"] / figures[level, "nginx"]["cpu_us"]
        numbers[f"inline_{level}_cpu_ratio"] = round(ratio, 3)
        name = f"inline_{level}_cpu_ratio"
        goals[name] = at_most(numbers, name, MAX_CPU_RATIO)
    for key, row in search.items():
        if key in ENGINES:
            continue
        name = f"search_{key[0]}_{key[1]}"
        for field, value in row.items():
            numbers[f"{name}_{field}"] = round(value, 3)
        # With one connection the server sleeps between two requests, and so does the engine that it
        # is compared with.
        engine = search["paused_engine" if key[1] == 1 else "engine"]
        numbers[f"{name}_overhead_us"] = round(row["cpu_us"] - engine["cpu_us"], 2)
        if key[0] == "base64":
            # Below zero the two did not search in the same way (one without the graph, say), and the
            # difference tells nothing.
            goal = at_most(numbers, f"{name}_overhead_us", MAX_SEARCH_OVERHEAD_US)
            goal["min"] = 0
            goal["pass"] = goal["pass"] and numbers[f"{name}_overhead_us"] >= 0
            goals[f"{name}_overhead_us"] = goal
    passed = all(goal["pass"] for goal in goals.values())
    return {"name": "edge", "pass": passed, "figures": numbers, "goals": goals}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--markdown", metavar="FILE", help="write the section for the docs there")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--build", default=os.environ.get("ROOST_BUILD", "build/release"),
                        help="the Release build folder (default: %(default)s)")
    parser.add_argument("--roost", help="the program (default: bin/roost in the build folder)")
    return parser.parse_args()


def find_programs(arguments):
    build = REPOSITORY / arguments.build
    programs = [build / "tests/bench/roost_edge_bench_server",
                build / "tests/bench/roost_edge_bench_search",
                pathlib.Path(arguments.roost or build / "bin/roost").absolute()]
    for program in programs:
        if not program.exists():
            fail(f"{program} is missing; build it first")
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            fail(f"{tool} is not installed (Debian: apt install wrk nginx-light)")
    return programs


def without_nan(value):
    """JSON has no NaN: null stands for a latency that wrk did not tell."""
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def main():
    arguments = parse_arguments()
    server, engine, roost = find_programs(arguments)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rounds, seconds = (1, 1) if arguments.quick else (5, 3)
    with roost_server(server) as (pid, port):
        idle = measure_idle(pid, port)
    with roost_server(server) as (pid, port), nginx_server() as (nginx_pid, nginx_port):
        targets = {
            "inline": (pid, f"http://127.0.0.1:{port}/inline"),
            "nginx": (nginx_pid, f"http://127.0.0.1:{nginx_port}/"),
            "worker": (pid, f"http://127.0.0.1:{port}/worker"),
        }
        figures = compare(targets, rounds, seconds)
    search = measure_search(roost, engine, arguments.quick, rounds, seconds)
    result = summarise(figures, idle, search)
    numbers = result["figures"]
    print_table(TRIVIAL_HEAD, trivial_rows(numbers))
    print_table(SEARCH_HEAD, search_rows(numbers))
    print(f"{IDLE_CONNECTIONS:,} idle connections: {idle['new_threads']} new threads, "
          f"{idle['rss_mb']:.1f} MB")
    for name, goal in result["goals"].items():
        if not goal["pass"]:
            print(f"goal missed: {name} is {numbers[name]}, "
                  f"{goal.get('min', 'any')} to {goal['max']} wanted")
    print("pass" if result["pass"] else "FAIL")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(without_nan(result), indent=2) + "\n")
    if arguments.markdown:
        pathlib.Path(arguments.markdown).write_text(markdown(result))
    sys.exit(0 if result["pass"] else 1)


if __name__ == "__main__":
    main()
