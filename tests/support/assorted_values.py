"""Values on which stores stumble: the ends of every type, -0.0, empty strings, all of Unicode, integers that
no double holds, long common beginnings of keys; and random ones between them."""

import struct
import uuid

import numpy as np

INT64 = (-2**63, 2**63 - 1)
_RANGES = {"INT8": (-2**7, 2**7 - 1), "INT16": (-2**15, 2**15 - 1), "INT32": (-2**31, 2**31 - 1)}
_FIRST_TIME, _LAST_TIME = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years 1 and 9999
_TIMES = (0, -1, 1, 999_999, _FIRST_TIME, _LAST_TIME, -12_219_292_800_000_001, 4_102_444_800_123_456)
_BIG = (0, 1, -1, 2**53 - 1, 2**53, 2**53 + 1, -2**53 - 1, 2**62 + 1, *INT64)
_DOUBLES = (0.0, -0.0, 0.1, -1.5, 3.0, 1e16, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
            -1.7976931348623157e308, 1 / 3)
_FLOATS = (0.0, -0.0, 0.1, -1.5, 3.0, 1e-45, 1.1754944e-38, 3.4028235e38, -3.4028235e38, 16_777_217.0)
_STRINGS = ("", " ", "  both ends  ", "\t", "\\N", "\\", "'", "\"", "O'Brien said: \"\\back\\slash\"", "null",
            "NULL", "line\nline\r\nline\ttab", "%_*?{}[]()", "Ünïcödé", "e\u0301 is not é", "日本語のテキスト",
            "مرحبا بالعالم", "👩\u200d👩\u200d👧\u200d👦", "\u2028\u2029\ufeff", "\ud7ff\ue000\ufffd\U0010ffff",
            "\x01\x02\x1f\x7f",
            "x" * 300, "long ä " * 1_500)
_WORDS = "whale ocean captain harbour Ahab storm λόγος море 鯨 sail".split()
_JSON = (0, -1, 2**53 + 1, -2**63, 2**64 - 1, 0.1, 1e300, -2.5e-7, True, False, "", "text \\ \" \u2028 👍",
         [], {}, [None, [[]], {}], {"": None, "a b": [1, 0.5, "x"]}, {"ключ": {"deep": [{"er": 2**53 + 1}]}},
         {"z": 1, "a": {"$": "_x", "null": None}})


def text_key(writer, number):
    """Keys of many shapes: short, long, with long common beginnings, quoted, spaced, not ASCII."""
    shapes = (f"k{writer}-{number:05d}", f"https://example.org/one/long/beginning/of/keys/{writer}/{number}",
              f"Ключ {writer} № {number}", f"\"quoted\" \\ '{writer}' %_ {number}",
              "L" * 560 + f"{writer}-{number}", f"ß👍{number}-{writer}", f" {writer} {number} ",
              f"UPPER{writer}/{number}")
    return shapes[number % len(shapes)]


def integer_key(writer, number):
    """Spread over all of INT64; different for every writer up to 4 and number."""
    spread = (number * 4 + writer) * 0x9E3779B97F4A7C15 % 2**64
    return spread - 2**63


class Pool:
    """Draws values by a chooser (random.Random)."""

    def __init__(self, chooser, zero_bytes):
        self._chooser = chooser
        self._zero_bytes = zero_bytes
        self._bits = None

    def value(self, kind, element=None):
        if kind == "ARRAY":
            return [self.value(element) for _ in range(self._chooser.choice((0, 1, 2, 5)))]
        if kind in ("VARCHAR", "TEXT"):
            return self._string(kind)
        return getattr(self, "_" + kind.lower(), lambda: self._integer(kind))()

    # One a type, by its name.

    def _bool(self):
        return self._chooser.random() < 0.5

    def _integer(self, kind):
        low, high = _RANGES[kind]
        return self._chooser.choice((low, high, 0, -1, 1, self._chooser.randint(low, high)))

    def _int64(self):
        return self._chooser.choice((*_BIG, self._chooser.randint(*INT64)))

    def _timestamp(self):
        return self._chooser.choice((*_TIMES, self._chooser.randint(0, 2**51)))

    def _double(self):
        number = self._chooser.choice((*_DOUBLES, None, None, None))
        return self._chooser.gauss(0, 1e3) if number is None else number

    def _float(self):
        number = self._chooser.choice((*_FLOATS, None, None, None))
        return to_float32(self._chooser.gauss(0, 1e3) if number is None else number)

    def _uuid(self):
        number = self._chooser.choice((0, 2**128 - 1, *[self._chooser.getrandbits(128)] * 6))
        return str(uuid.UUID(int=number))

    def _json(self):
        value = self._chooser.choice(_JSON)
        return {"n": self._chooser.randint(*INT64), "v": value} if self._chooser.random() < 0.5 else value

    def _string(self, kind):
        if self._zero_bytes and self._chooser.random() < 0.05:
            return "zero\0byte"
        if kind == "TEXT" and self._chooser.random() < 0.7:
            return " ".join(self._chooser.choices(_WORDS, k=8))
        return self._chooser.choice(_STRINGS)

    def members(self):
        """Undeclared fields."""
        names = self._chooser.sample(("free", "with space", "ünï", "Free", "quote\"d", "list"), k=2)
        return {name: self._chooser.choice(_JSON) for name in names}

    def vector(self, kind, metric, dimension):
        """Its bytes."""
        if self._bits is None:
            self._bits = np.random.RandomState(self._chooser.getrandbits(32))
        bits = self._bits
        if kind == "BINARY_VECTOR":
            return bits.bytes(dimension // 8)
        if kind == "INT8_VECTOR":
            numbers = bits.randint(-128, 128, dimension)
            numbers[0] = numbers[0] or 1
            return numbers.astype("i1").tobytes()
        if kind == "SPARSE_VECTOR":
            return self._sparse(bits)
        numbers = bits.standard_normal(dimension)
        numbers[1:4] = self._chooser.choice(((-0.0, 0.0, 1e-40), (1e-7, 3.0, -1e4), tuple(numbers[1:4])))
        if metric != "COSINE" and self._chooser.random() < 0.02:
            numbers[:] = 0
        return float_vector_bytes(kind, numbers.astype("<f4"))

    def _sparse(self, bits):
        count = self._chooser.choice((1, 3, 8, 8, 8, 0))
        indices = sorted(self._chooser.sample(range(2**32 - 1), count))
        entries = zip(indices, bits.standard_normal(count))
        return b"".join(struct.pack("<If", index, value) for index, value in entries)


def to_float32(number):
    return struct.unpack("<f", struct.pack("<f", number))[0]


def float_vector_bytes(kind, floats):
    """Elements of a dense vector, given as float32, in the type's own form. Only numbers that the type can
    hold are taken as they are; others are cut to the next one."""
    if kind == "FLOAT16_VECTOR":
        return floats.astype("<f2").tobytes()
    if kind == "BFLOAT16_VECTOR":
        return (floats.view("<u4") >> 16).astype("<u2").tobytes()
    if kind == "INT8_VECTOR":
        return floats.astype("i1").tobytes()
    return floats.astype("<f4").tobytes()
