"""A move of a collection, as a test drives and times it."""

import json
import time


class Move:
    def __init__(self, client, collection, target, policy, on_status=None):
        """Begins an automatic move. `on_status` is shown every status that is seen."""
        self._on_status = on_status
        self._client = client
        self.id = client.post("/v1/migrations", {"collection": collection, "target": target,
                                                 "automatic": True, "policy": policy})["id"]
        self.states = []  # (when it was first seen, by time.monotonic(), state)
        self.copied = 0

    def status(self):
        move = self._client.get(f"/v1/migrations/{self.id}")
        if not self.states or self.states[-1][1] != move["state"]:
            self.states.append((time.monotonic(), move["state"]))
        self.copied = max(self.copied, move["counts"]["copied"])
        if self._on_status:
            self._on_status(move)
        return move

    def until(self, reached, timeout, what):
        """Waits until `reached` says yes to the status, and returns that."""
        end = time.monotonic() + timeout
        while True:
            move = self.status()
            if reached(move):
                return move
            if time.monotonic() > end:
                raise RuntimeError(f"not {what} in {timeout} s: {json.dumps(move)}")
            time.sleep(0.05)

    def until_state(self, *states, timeout=600):
        return self.until(lambda move: move["state"] in states and not move["command"], timeout,
                          " or ".join(states))

    def until_level(self, timeout=300):
        """Both stores hold the same; for when nobody writes."""
        return self.until(lambda move: move["counts"]["dirty"] == 0 and move["counts"]["inflight"] == 0,
                          timeout, "level")

    def tell(self, command, body=None):
        """rollback, commit, abort, advance."""
        self._client.post(f"/v1/migrations/{self.id}/{command}", body)

    def state_at(self, moment):
        seen = [state for when, state in self.states if when <= moment]
        return seen[-1] if seen else "before"

    def seconds_in(self, state):
        """How long the move was first in the state."""
        for (begin, seen), (end, _) in zip(self.states, self.states[1:]):
            if seen == state:
                return end - begin
        return 0.0
