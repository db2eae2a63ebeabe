"""Vectors of floats on their way to the server and back."""

from __future__ import annotations

import array
import base64
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vector: TypeAlias = Union[
        Sequence[float], "array.array[float]", "npt.NDArray[np.floating[Any]]", "npt.NDArray[np.integer[Any]]"
    ]
else:
    Vector: TypeAlias = Any


def encode_vector(vector: Vector, what: str = "vector") -> str:
    """The base64 text of the little-endian float32 elements. Refuses what is not a flat list of finite
    numbers before anything is sent."""
    packed = _pack(vector, what)
    if len(packed) == 0:
        raise InvalidArgumentError(
            f"{what} is empty; it needs as many numbers as the collection has dimensions"
        )
    for place, number in enumerate(packed):
        if not math.isfinite(number):
            raise InvalidArgumentError(
                f"{what}[{place}] is no finite number within the range of float32; vectors hold no others"
            )
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode("ascii")


def _pack(vector: Vector, what: str) -> "array.array[float]":
    if isinstance(vector, (str, bytes, bytearray)):
        raise InvalidArgumentError(
            f"{what} is {type(vector).__name__}; give a list of numbers, an array.array or a numpy array"
        )
    dimensions = getattr(vector, "ndim", 1)
    if dimensions != 1:
        raise InvalidArgumentError(f"{what} has {dimensions} dimensions; give one vector, not a matrix")
    packed = array.array("f")
    try:
        if hasattr(vector, "astype"):  # numpy, which need not be installed
            packed.frombytes(vector.astype("=f4").tobytes())
        else:
            packed = array.array("f", vector)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(f"{what} is no list of numbers: {error}") from None
    return packed


def as_numpy(vector: Sequence[float]) -> "npt.NDArray[np.float32]":
    """As float32, bit for bit what the store holds. Needs numpy."""
    import numpy

    return numpy.asarray(vector, dtype=numpy.float64).astype(numpy.float32)
