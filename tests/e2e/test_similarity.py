"""One similarity everywhere: the same records and queries on all five stores give the same distances, and
exact search gives the same ids in the same order, ties by key."""

import concurrent.futures
import functools
import os
import pathlib
import shutil
import sys
import tempfile
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.client import pack  # noqa: E402
from tests.support.five_stores import STORES, FiveStores  # noqa: E402

BINARY = os.environ.get("ROOST_BINARY", "build/release/bin/roost")
RECORDS, QUERIES, DIMENSION, TOP = 10_000, 200, 64, 10
AT_ONCE = 50           # queries of one request
TWINS = 5              # records with one and the same vector
TOLERANCE = 1e-5       # of a distance, relative
# A distance near 0 is what large terms leave over that cancel each other: there it is compared with these
# terms, and a search through an index may sum them in float32, which holds them to 6e-8. Not so for L2, whose
# terms are squares: there 0 is 0.
CANCELLED = 1e-7
METRICS = {"L2": "HNSW", "COSINE": "HNSW", "IP": "FLAT"}  # and the index of the collection


class Material:
    """Records, queries and the right answers for one metric, by numpy in double precision."""

    def __init__(self, metric, seed):
        bits = np.random.default_rng(seed)
        self.metric = metric
        self.vectors = bits.standard_normal((RECORDS, DIMENSION)).astype("<f4")
        order = bits.permutation(RECORDS)
        self.groups = order[:100 * TWINS].reshape(-1, TWINS)  # records that are equally far from everything
        for group in self.groups:
            for place, twin in enumerate(group[1:]):
                # For an angle, a vector twice as long is the same; by a power of two also when computed.
                factor = (1, 2, 0.5, 4)[place] if metric == "COSINE" else 1
                self.vectors[twin] = self.vectors[group[0]] * np.float32(factor)
        self.queries = bits.standard_normal((QUERIES, DIMENSION)).astype("<f4")
        self.queries[:50] = self.vectors[self.groups[:50, 0]]  # distance 0 to five records, for L2
        # Keys whose order is not that of writing, nor of their numbers.
        self.keys = [int(n) for n in bits.permutation(RECORDS) - RECORDS // 2]
        if metric != "COSINE":
            self.keys = [f"key {key}" for key in self.keys]
        self.place = {key: place for place, key in enumerate(self.keys)}
        self._group_of = {int(twin): group for group in self.groups for twin in group}
        self.distances = self._distances()

    def _distances(self):
        """Of every query (row) to every record."""
        records, distances = self.vectors.astype("f8"), []
        lengths = np.sqrt((records * records).sum(axis=1))
        for query in self.queries.astype("f8"):
            dots = (records * query).sum(axis=1)
            if self.metric == "L2":
                distances.append(np.sqrt(((records - query) ** 2).sum(axis=1)))
            elif self.metric == "IP":
                distances.append(-dots)
            else:
                distances.append(1 - dots / (lengths * np.sqrt((query * query).sum())))
        return np.array(distances)

    def scale(self, query, place):
        """How large the terms are of which the distance is the sum; 0 where they cannot cancel each other."""
        if self.metric == "L2":
            return 0.0
        if self.metric == "COSINE":
            return 1.0
        return float(np.linalg.norm(self.queries[query]) * np.linalg.norm(self.vectors[place]))

    def exact_answer(self, query):
        """The nearest TOP ids, equal distances by key."""
        distances = self.distances[query]
        near = np.argsort(distances, kind="stable")[:TOP + 4 * TWINS]
        rounded = {}  # distances that differ by nothing but numpy's order of summing are equal
        for place in near:
            group = self._group_of.get(int(place))
            rounded[int(place)] = distances[group[0]] if group is not None else distances[place]
        return [self.keys[place] for place in
                sorted(rounded, key=lambda place: (rounded[place], self.keys[place]))[:TOP]]

    def collection(self):
        return {"name": f"same_{self.metric}",
                "key": {"name": "id", "type": "INT64" if self.metric == "COSINE" else "VARCHAR"},
                "vectors": [{"name": "v", "dimension": DIMENSION, "metric": self.metric,
                             "index": {"type": METRICS[self.metric], "m": 16, "ef_construction": 64}}]}


@functools.cache
def materials():
    return {metric: Material(metric, seed) for seed, metric in enumerate(METRICS)}


def departures(material, query, hits):
    """What is wrong with the distances of these (id, distance)."""
    wrong, last = [], -np.inf
    for key, distance in hits:
        place = material.place[key]
        right = material.distances[query][place]
        allowed = TOLERANCE * abs(right) + CANCELLED * material.scale(query, place)
        if not abs(distance - right) <= allowed:
            wrong.append(f"{material.metric}, query {query}, {key}: {distance!r} instead of {right!r}")
        if distance < last - 1e-12:
            wrong.append(f"{material.metric}, query {query}, {key}: nearer than the hit before")
        last = distance
    return wrong


def order_departures(material, query, hits):
    found, right = [key for key, _ in hits], material.exact_answer(query)
    return [] if found == right else [f"{material.metric}, query {query}: {found} instead of {right}"]


class Comparison(unittest.TestCase):
    """The comparison itself notices what it is there for."""

    @classmethod
    def setUpClass(cls):
        cls.materials = list(materials().values())

    def right(self, material, query):
        return [(key, float(material.distances[query][material.place[key]]))
                for key in material.exact_answer(query)]

    def test_what_is_right_is_right(self):
        for material in self.materials:
            for query in range(QUERIES):
                hits = self.right(material, query)
                self.assertEqual(order_departures(material, query, hits), [])
                self.assertEqual(departures(material, query, hits), [])

    def test_a_distance_that_is_off_is_noticed(self):
        for material in self.materials:
            hits = self.right(material, 60)
            (key, distance), rest = hits[-1], hits[:-1]
            self.assertEqual(departures(material, 60, hits), [])
            self.assertNotEqual(departures(material, 60, [*rest, (key, distance * (1 + 3e-5))]), [])

    def test_ties_in_the_wrong_order_are_noticed(self):
        for material in self.materials:
            hits = self.right(material, 0)
            tied = {int(place) for place in material.groups[0]}
            places = [at for at, (key, _) in enumerate(hits) if material.place[key] in tied]
            self.assertGreaterEqual(len(places), 2, "the query is one of the twins")
            hits[places[0]], hits[places[1]] = hits[places[1]], hits[places[0]]
            self.assertNotEqual(order_departures(material, 0, hits), [])


class Similarity(unittest.TestCase):
    worst = {}  # by store: the largest difference from numpy, relative to the distance

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="roost-similarity-"))
        cls.folder.chmod(0o755)  # PostgreSQL may run as another user
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.world = FiveStores(BINARY, cls.folder)
        cls.addClassCleanup(cls.world.close)
        cls.materials = materials()
        with concurrent.futures.ThreadPoolExecutor(len(STORES)) as pool:
            list(pool.map(cls.load, STORES))

    @classmethod
    def tearDownClass(cls):
        for store, difference in cls.worst.items():
            print(f"{store}: distances differ from numpy's by at most {difference:.1e}, relative")

    @classmethod
    def load(cls, store):
        client = cls.world.roost.client(timeout=120)
        for material in cls.materials.values():
            name = cls.name(store, material)
            client.post(f"/v1/collections?store={store}", {**material.collection(), "name": name})
            for start in range(0, RECORDS, 1_000):
                rows = [{"id": material.keys[place], "v": pack(material.vectors[place])}
                        for place in range(start, start + 1_000)]
                result = client.upsert(name, rows)
                if result["written"] != len(rows):
                    raise AssertionError(f"{store}: {result}")
        client.close()

    @staticmethod
    def name(store, material):
        return f"{material.collection()['name']}_{store}"

    def search(self, store, material, exact):
        """For each query [(id, distance)]."""
        client = self.world.roost.client(timeout=120)
        found = []
        for start in range(0, QUERIES, AT_ONCE):
            hits = client.search(self.name(store, material), top_k=TOP, exact=exact, fields=[],
                                 vectors=[pack(query) for query in material.queries[start:start + AT_ONCE]])
            found += [[(hit["id"], hit["distance"]) for hit in one] for one in hits]
        client.close()
        self.note(store, material, found)
        return found

    def note(self, store, material, found):
        pairs = [(distance, material.distances[query][material.place[key]])
                 for query, hits in enumerate(found) for key, distance in hits]
        self.worst[store] = max(self.worst.get(store, 0.0),
                                *(abs(distance - right) / abs(right) for distance, right in pairs
                                  if abs(right) > 1e-6))

    def test_exact_search_gives_the_same_ids_in_the_same_order_and_the_same_distances(self):
        for metric, material in self.materials.items():
            for store in STORES:
                with self.subTest(metric=metric, store=store):
                    found = self.search(store, material, exact=True)
                    wrong = [text for query, hits in enumerate(found)
                             for text in (order_departures(material, query, hits) +
                                          departures(material, query, hits))]
                    self.assertEqual(wrong, [])

    def test_search_by_the_index_gives_the_same_distances(self):
        for metric, material in self.materials.items():
            for store in STORES:
                with self.subTest(metric=metric, store=store):
                    found = self.search(store, material, exact=False)
                    self.assertEqual([len(hits) for hits in found], [TOP] * QUERIES)
                    self.assertEqual([text for query, hits in enumerate(found)
                                      for text in departures(material, query, hits)], [])


if __name__ == "__main__":
    unittest.main()
