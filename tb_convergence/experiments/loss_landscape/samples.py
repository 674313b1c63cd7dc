"""The fixed samples on which every point of a landscape is evaluated.

All points use the same subset. With new samples at each point, the noise between samples would look
like hills.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


class SamplesError(ValueError):
    """Data of a kind that cannot be used; the message says what was received."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Samples cut into batches of equal size.

    Attributes:
        x, y: trees of arrays `[B, N, ...]`: B batches of N samples.
        weights: sample weights `[B, N]`, or None.
        batch: N.
        count: B * N.
    """

    x: Any
    y: Any
    weights: Any
    batch: int
    count: int


def batches_of(data: Any, samples: int, batch: int, seed: int = 0) -> Batches:
    """At most `samples` samples of `data`, in the fewest batches of at most `batch`.

    The last fewer than B samples are left out, so that all batches are equally large and no sample
    weighs more than another.

    Args:
        data: `(x, y)` or `(x, y, sample_weight)` of arrays (or dictionaries and lists of them), a
            batched `tf.data.Dataset`, or a `keras.utils.PyDataset`.
        samples: how many; of arrays a random subset, of a data set its first ones.
        batch: samples per batch at most.
        seed: of the random subset.

    Raises:
        SamplesError: no samples, arrays of different lengths, or data of another kind.
    """
    if samples < 1 or batch < 1:
        raise SamplesError(f"samples={samples!r} and batch_size={batch!r} must be at least 1")
    x, y, weights = _arrays(data, samples, seed)
    available = _one_length(x, y, weights)
    if available == 0:
        raise SamplesError("the data has no samples")
    count = -(-available // batch)
    size = available // count

    def cut(leaf: Any) -> Any:
        if leaf is None:
            return None
        return leaf[: count * size].reshape(count, size, *leaf.shape[1:])

    return Batches(
        _map(cut, x), _map(cut, y), None if weights is None else cut(weights), size, count * size
    )


def _one_length(*parts: Any) -> int:
    """How many samples all the arrays have."""
    leaves = [leaf for leaf in keras.tree.flatten(parts) if leaf is not None]
    if any(np.ndim(leaf) < 1 for leaf in leaves):
        raise SamplesError("the data holds single samples; call .batch(512) on the data set first")
    lengths = {len(leaf) for leaf in leaves}
    if len(lengths) != 1:
        raise SamplesError(f"x, y and sample weights differ in length: {sorted(lengths)}")
    return lengths.pop()


def _map(function: Callable[[Any], Any], structure: Any) -> Any:
    return None if structure is None else keras.tree.map_structure(function, structure)


def _arrays(data: Any, samples: int, seed: int) -> tuple[Any, Any, Any]:
    if isinstance(data, (tuple, list)) and 2 <= len(data) <= 3:
        x, y = (_map(np.asarray, part) for part in data[:2])
        weights = None if len(data) < 3 or data[2] is None else np.asarray(data[2])
        _one_length(x, y, weights)
        total = len(keras.tree.flatten(x)[0])
        if samples < total:
            chosen = np.sort(np.random.default_rng(seed).choice(total, samples, replace=False))
            x, y = (_map(lambda leaf: leaf[chosen], part) for part in (x, y))
            weights = None if weights is None else weights[chosen]
        # A file sorted by class would put different classes into each batch.
        mixed = np.random.default_rng([seed, 1]).permutation(min(samples, total))
        x, y = (_map(lambda leaf: leaf[mixed], part) for part in (x, y))
        return x, y, None if weights is None else weights[mixed]
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(
        data, (dict, str, np.ndarray)
    ):
        return _gather((data[index] for index in range(len(data))), samples, data)
    if hasattr(data, "__iter__") and not isinstance(data, (dict, str, np.ndarray)):
        return _gather(iter(data), samples, data)
    raise SamplesError(
        f"data is a {type(data).__name__}; expected (x, y), (x, y, sample_weight), a batched "
        "tf.data.Dataset or a keras.utils.PyDataset"
    )


def _gather(batches: Any, samples: int, data: Any) -> tuple[Any, Any, Any]:
    """The first samples of a data set that yields batches."""
    parts: list[Any] = []
    got = 0
    for item in batches:
        if not isinstance(item, (tuple, list)) or not 2 <= len(item) <= 3:
            raise SamplesError(
                f"the {type(data).__name__} yields {type(item).__name__}; expected batches (x, y) "
                "or (x, y, sample_weight)"
            )
        part = keras.tree.map_structure(np.asarray, tuple(item))
        got += _one_length(*part)
        parts.append(part)
        if got >= samples:
            break
    if not parts:
        raise SamplesError("the data has no samples")
    whole = keras.tree.map_structure(lambda *leaves: np.concatenate(leaves)[:samples], *parts)
    return whole[0], whole[1], whole[2] if len(whole) > 2 else None
