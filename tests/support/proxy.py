"""A TCP proxy that carries plain bytes and can fail as networks do: slowly, silently, rudely, halfway.

It knows nothing of what it carries, so every store is put behind it in the same way.
"""

import asyncio
import random
import socket
import struct
import threading

# Bytes of replies that a connection may still carry once it is to be cut: inside a header, inside the
# first frames of HTTP/2, inside a body.
CUTS = (1, 20, 60, 150, 300)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 s


class Fault:
    """What happens to bytes and connections. Immutable; Proxy.set() puts it in force."""

    def __init__(self, delay_s=0.0, stall=False, reset=False, cut=False):
        self.delay_s = delay_s  # of every byte, in each direction
        self.stall = stall      # connections are accepted and nothing passes, in either direction
        self.reset = reset      # all connections are reset, new ones at once
        self.cut = cut          # each connection ends after some bytes of replies, by FIN or RST


HEALTHY = Fault()


class _Connection:
    def __init__(self, number):
        self.number = number
        self.writers = []
        self.reply_bytes_left = None  # while replies are cut
        self.closing = False


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes everything on to `target_port`. Thread safe."""

    def __init__(self, target_port, seed=0):
        self.target_port = target_port
        self.keep = False  # planted fault of a trial: connections of the clients are never let go
        self.accepted = 0
        self._fault = HEALTHY
        self._changed = asyncio.Event()
        self._chooser = random.Random(seed)
        self._connections = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def open(self):
        """Connections of clients that are open now."""
        return len(self._connections)

    def set(self, fault):
        """From now on; bytes that a stall holds pass when another fault (or none) follows."""
        asyncio.run_coroutine_threadsafe(self._set(fault), self._loop).result(10)

    def heal(self):
        self.set(HEALTHY)

    def close(self):
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def _close(self):
        self._server.close()
        for connection in list(self._connections):
            self._end(connection, abruptly=True)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _set(self, fault):
        self._fault = fault
        for connection in list(self._connections):
            connection.reply_bytes_left = self._chooser.choice(CUTS) if fault.cut else None
            if fault.reset:
                self._end(connection, abruptly=True)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _serve(self, reader, writer):
        self.accepted += 1
        connection = _Connection(self.accepted)
        connection.writers.append(writer)
        self._connections.add(connection)
        try:
            try:
                await self._carry(connection, reader, writer)
            except OSError:
                pass
            while self.keep:
                await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            pass
        finally:
            self._end(connection, abruptly=False)
            self._connections.discard(connection)

    async def _carry(self, connection, reader, writer):
        fault = self._fault
        connection.reply_bytes_left = self._chooser.choice(CUTS) if fault.cut else None
        if fault.reset:
            self._end(connection, abruptly=True)
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port,
                                                               limit=1 << 20)
        connection.writers.append(far_writer)
        if connection.closing:
            return
        ways = [asyncio.create_task(self._pass(connection, reader, far_writer, False)),
                asyncio.create_task(self._pass(connection, far_reader, writer, True))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        # What one side said last still reaches the other; then both are closed.
        await asyncio.wait(ways, timeout=0.2)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, connection, reader, writer, is_reply):
        """One direction until its end, in the order in which the bytes came."""
        line = asyncio.Queue()
        sender = asyncio.create_task(self._send(connection, line, writer, is_reply))
        try:
            while data := await reader.read(1 << 16):
                line.put_nowait((self._loop.time() + self._fault.delay_s, data))
            line.put_nowait((self._loop.time() + self._fault.delay_s, b""))
            await sender
        except OSError:
            pass
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, connection, line, writer, is_reply):
        while True:
            due, data = await line.get()
            while self._fault.stall or (self._fault.delay_s and self._loop.time() < due):
                changed = self._changed
                wait = None if self._fault.stall else due - self._loop.time()
                try:
                    await asyncio.wait_for(changed.wait(), wait)
                except asyncio.TimeoutError:
                    pass
            if not data:
                return
            left = connection.reply_bytes_left if is_reply else None
            if left is not None and left <= len(data):
                writer.write(data[:left])
                await writer.drain()
                self._end(connection, abruptly=connection.number % 2 == 0)
                return
            if left is not None:
                connection.reply_bytes_left = left - len(data)
            writer.write(data)
            await writer.drain()

    def _end(self, connection, abruptly):
        connection.closing = True
        for writer in connection.writers:
            if abruptly:
                peer = writer.get_extra_info("socket")
                if peer is not None and not writer.transport.is_closing():
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()
