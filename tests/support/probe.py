"""Searches one collection at a steady rate from a process of its own, so that what the trial does
beside it costs the measurement nothing."""

import multiprocessing
import socket
import threading
import time

import numpy as np


def _read_reply(connection, buffer):
    """(status, what came after the reply)."""
    while b"\r\n\r\n" not in buffer:
        buffer += _receive(connection)
    head, _, rest = buffer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(rest) < length:
        rest += _receive(connection)
    return int(head.split(b" ", 2)[1]), rest[length:]


def _receive(connection):
    data = connection.recv(1 << 16)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def _connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _run(port, request, period_s, pipe):
    """Until the pipe closes. Each number received is answered with all samples so far."""
    connection, buffer = _connect(port), b""
    samples, due = [], time.monotonic()
    try:
        while True:
            if pipe.poll(max(0.0, due - time.monotonic())):
                pipe.recv()
                pipe.send(np.array(samples, np.float64).reshape(-1, 3))
                samples = []
                continue
            try:
                connection.sendall(request)
                status, buffer = _read_reply(connection, buffer)
            except OSError:
                status, buffer = 0, b""
                connection.close()
                connection = _connect(port)
            # From the moment it was due: a slow reply delays the next ones, as it would callers.
            samples.append((due, time.monotonic() - due, status))
            due = max(due + period_s, time.monotonic() - 1.0)
    except (EOFError, OSError):
        pass


class Probe:
    """Starts at once. `take()` gives the samples since the last time: rows of (time.monotonic() when
    it was due, seconds until the reply, HTTP status)."""

    def __init__(self, port, path, body, per_second):
        request = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n").encode() + body
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_run, args=(port, request, 1 / per_second, far),
                                        daemon=True)
        self._process.start()
        far.close()
        self._lock = threading.Lock()

    def take(self):
        with self._lock:
            self._pipe.send(0)
            return self._pipe.recv()

    def stop(self):
        self._pipe.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
