"""Reads a server's /metrics."""

import re

_LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One reading: {name: [(labels, value)]}."""

    def __init__(self, client):
        status, _, text = client.raw("GET", "/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answers {status}")
        self._series = {}
        for line in text.decode().splitlines():
            found = _LINE.match(line)
            if found:
                labels = dict(_LABEL.findall(found.group(2) or ""))
                self._series.setdefault(found.group(1), []).append((labels, float(found.group(3))))

    def sum(self, name, **labels):
        """Of all series of that name with these labels; 0 where there is none."""
        return sum(value for found, value in self._series.get(name, [])
                   if all(found.get(label) == text for label, text in labels.items()))
