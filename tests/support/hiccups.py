"""How late the machine wakes those that asked to be woken: what a trial must not blame on the server."""

import bisect
import threading
import time

TICK_S = 0.005
NOTED_S = 0.01  # shorter ones are not kept


class Hiccups:
    """A thread that sleeps and looks at the clock, from the constructor to stop()."""

    def __init__(self):
        self._ends, self._lengths = [], []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopped.set()
        self._thread.join()

    def _run(self):
        last = time.monotonic()
        while not self._stopped.is_set():
            time.sleep(TICK_S)
            now = time.monotonic()
            if now - last - TICK_S > NOTED_S:
                self._ends.append(now)
                self._lengths.append(now - last - TICK_S)
            last = now

    def longest(self, begin, end):
        """Of those that touch this interval of time.monotonic(), in seconds."""
        longest = 0.0
        # Hiccups follow one another, so only the first that ends later can reach across `end`.
        for at in range(bisect.bisect_left(self._ends, begin), len(self._ends)):
            longest = max(longest, self._lengths[at])
            if self._ends[at] >= end:
                break
        return longest
