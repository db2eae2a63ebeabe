#!/usr/bin/env python3
"""What one HTTP request costs in the edge, next to nginx answering the same.

Run it as `./dev bench edge [--json FILE] [--quick]`. It starts roost_edge_bench_server (two trivial
routes through the real HttpServer) and nginx with one worker and a fixed answer, loads both with wrk
at 1, 64 and 1,000 connections in interleaved rounds, and compares the CPU time that a request costs
the server. CPU time is compared, not requests per second: that number belongs to the machine and to
whatever else runs on it.

"inline" is answered on the event loop, as health checks are: nginx's like. "worker" goes through the
executor, as every other request does; it is shown, and is not part of the goal.

Needs wrk and nginx (Debian: wrk, nginx-light) and a Release build.
"""

import argparse
import contextlib
import json
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
BODY = '{"status":"ok","version":"0.1.0"}'
LEVELS = (1, 64, 1000)
IDLE_CONNECTIONS = 2000
MAX_CPU_RATIO = 1.5
MAX_IDLE_RSS_MB = 32.0
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
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}[unit]


def load(pid, url, connections, seconds):
    """One wrk run: CPU microseconds of `pid` for each request, requests per second, p99."""
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url]
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


def print_table(figures):
    print(f"{'connections':>11}  {'server':<8} {'CPU us/request':>14} {'requests/s':>11} "
          f"{'p99 ms':>8} {'CPU / nginx':>12}")
    for level in LEVELS:
        nginx = figures[level, "nginx"]["cpu_us"]
        for name in ("inline", "worker", "nginx"):
            row = figures[level, name]
            print(f"{level:>11}  {name:<8} {row['cpu_us']:>14.2f} {row['per_second']:>11,.0f} "
                  f"{row['p99_ms']:>8.2f} {row['cpu_us'] / nginx:>12.2f}")


def summarise(figures, idle):
    numbers = {}
    for (level, name), row in figures.items():
        for field, value in row.items():
            numbers[f"{name}_{level}_{field}"] = round(value, 3)
    goals = {}
    for level in LEVELS:
        ratio = figures[level, "inline"]["cpu_us"] / figures[level, "nginx"]["cpu_us"]
        numbers[f"inline_{level}_cpu_ratio"] = round(ratio, 3)
        goals[f"inline_{level}_cpu_ratio"] = {"max": MAX_CPU_RATIO, "pass": ratio <= MAX_CPU_RATIO}
    numbers["idle_new_threads"] = idle["new_threads"]
    numbers["idle_rss_mb"] = round(idle["rss_mb"], 2)
    goals["idle_new_threads"] = {"max": 0, "pass": idle["new_threads"] <= 0}
    goals["idle_rss_mb"] = {"max": MAX_IDLE_RSS_MB, "pass": idle["rss_mb"] < MAX_IDLE_RSS_MB}
    passed = all(goal["pass"] for goal in goals.values())
    return {"name": "edge", "pass": passed, "figures": numbers, "goals": goals}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", metavar="FILE", help="write the result there")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--build", default=os.environ.get("ROOST_BUILD", "build/release"),
                        help="the Release build folder (default: %(default)s)")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    binary = REPOSITORY / arguments.build / "tests/bench/roost_edge_bench_server"
    if not binary.exists():
        fail(f"{binary} is missing; build target roost_edge_bench_server first")
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            fail(f"{tool} is not installed (Debian: apt install wrk nginx-light)")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rounds, seconds = (1, 1) if arguments.quick else (5, 3)
    with roost_server(binary) as (pid, port):
        idle = measure_idle(pid, port)
    with roost_server(binary) as (pid, port), nginx_server() as (nginx_pid, nginx_port):
        targets = {
            "inline": (pid, f"http://127.0.0.1:{port}/inline"),
            "nginx": (nginx_pid, f"http://127.0.0.1:{nginx_port}/"),
            "worker": (pid, f"http://127.0.0.1:{port}/worker"),
        }
        figures = compare(targets, rounds, seconds)
    result = summarise(figures, idle)
    print_table(figures)
    print(f"{IDLE_CONNECTIONS} idle connections: {idle['new_threads']} new threads, "
          f"{idle['rss_mb']:.1f} MB")
    for name, goal in result["goals"].items():
        if not goal["pass"]:
            print(f"goal missed: {name} is {result['figures'][name]}, at most {goal['max']} wanted")
    print("pass" if result["pass"] else "FAIL")
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(0 if result["pass"] else 1)


if __name__ == "__main__":
    main()
