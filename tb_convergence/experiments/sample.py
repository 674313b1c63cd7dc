"""The data of an experiment: a bounded sample in memory, whatever `fit` would have been given.

Every training of an experiment sees the same samples in an order that follows from a seed alone, so
two of them differ in nothing but what is being tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.training.keras import compat

MOST_SAMPLES: Final = 20_000
MOST_BYTES: Final = 2**28
"""Kept at most, whichever comes first; of arrays a random part, of a pipeline its beginning."""
DEFAULT_BATCH: Final = 32


class DataError(ValueError):
    """Data that an experiment cannot use; the message says what was given and what to do."""


@dataclass(frozen=True)
class Sample:
    """Samples in memory: structures of arrays `[N, ...]`, N the same for all.

    Attributes:
        x: inputs.
        y: targets; None if the loss needs none.
        weight: sample weights; None without.
        batch_size: of the training that is examined.
        whole: whether these are all the samples there are.
        shuffled: whether each epoch has an order of its own; a pipeline keeps its order.
        rows: which of the user's samples these are `[N]`; None where they are the first ones.
        total: how many samples there are, also those that are not kept; None where unknown.
    """

    x: Any
    y: Any = None
    weight: Any = None
    batch_size: int = DEFAULT_BATCH
    whole: bool = True
    shuffled: bool = True
    total: int | None = None
    rows: Any = None

    def origin(self, row: int) -> int:
        """The number of a sample in the user's own data."""
        return int(row) if self.rows is None else int(self.rows[row])

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch of all samples, as `fit` counts them."""
        return max(1, -(-(self.total or len(self)) // self.batch_size))

    def __len__(self) -> int:
        return int(tf.nest.flatten(self.x)[0].shape[0])

    def take(self, rows: NDArray[np.intp]) -> Sample:
        """The samples at `rows` `[M]`, in that order."""
        def part(value: Any) -> Any:
            return _mapped(lambda array: array[rows], value)

        return replace(
            self, x=part(self.x), y=part(self.y), weight=part(self.weight), whole=False,
            total=None, rows=rows if self.rows is None else self.rows[rows])

    def mapped(self, function: Callable[[Any], Any]) -> Sample:
        """The same with `function` of each array."""
        return replace(self, x=_mapped(function, self.x), y=_mapped(function, self.y),
                       weight=_mapped(function, self.weight))

    def part(self, rows: NDArray[np.intp]) -> Sample:
        """The samples at `rows` as data of their own, such as what a validation split leaves."""
        share = len(rows) / max(1, len(self))
        return replace(self.take(rows), whole=self.whole,
                       total=None if self.total is None else round(self.total * share))

    def with_(self, **parts: Any) -> Sample:
        """The same with other `x`, `y` or `weight`."""
        return replace(self, **parts)

    @property
    def parts(self) -> tuple[Any, ...]:
        """The arguments of a train step: (x, y, weight), without trailing ones that are None."""
        parts = (self.x, self.y, self.weight)
        last = max(place for place, part in enumerate(parts) if part is not None)
        return parts[: last + 1]


def gather(
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
    most: int = MOST_SAMPLES,
    one_shot: bool = False,
) -> Sample:
    """A sample of what `fit(x, y, ...)` would train on.

    Args:
        x: arrays or a structure of them, a `tf.data.Dataset` of batches, or a `PyDataset`.
        y: targets; part of the pipeline where `x` is one.
        class_weight: as `fit` takes it; becomes sample weights.
        batch_size: 32 by default; a pipeline has its own.
        most: samples to keep at most.
        one_shot: accept a generator, whose items are then gone for whoever else reads it.

    Raises:
        DataError: no samples, parts of different lengths, batches that cannot be joined, or a
            generator.
    """
    with compat.random_state_kept(seeds=True):  # reading a pipeline may draw from it
        sample = _gathered(x, y, sample_weight, batch_size, most, one_shot)
    if class_weight:
        sample = sample.with_(weight=_class_weights(sample, class_weight))
    if not len(sample):
        raise DataError("the data has no samples")
    return sample


def _gathered(x: Any, y: Any, weight: Any, batch_size: int | None, most: int, one_shot: bool
              ) -> Sample:
    if isinstance(x, (tf.data.Dataset, keras.utils.PyDataset)) or hasattr(x, "__next__"):
        if hasattr(x, "__next__") and not one_shot:
            raise DataError(
                "x is a generator, which cannot be read twice; give arrays, a tf.data.Dataset or a "
                "keras.utils.PyDataset"
            )
        sample = _of_batches(_batches(x), most)
        return sample if sample.whole else sample.with_(total=_size_of(x, sample.batch_size))
    if isinstance(x, Iterable) and not _is_arrays(x):
        return _of_batches(iter(x), most)
    return _of_arrays(x, y, weight, batch_size or DEFAULT_BATCH, most)


def _is_arrays(x: Any) -> bool:
    """Whether this is an array or a structure of arrays, not a stream of batches."""
    leaves = tf.nest.flatten(x)
    return isinstance(x, (Mapping, list, tuple)) or all(hasattr(leaf, "shape") for leaf in leaves)


def _mapped(function: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else tf.nest.map_structure(function, value)


def _plain(value: Any) -> Any:
    """An array, in its own precision."""
    if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
        raise DataError(
            f"{type(value).__name__} is not supported by experiments; convert it to a dense tensor"
        )
    return np.asarray(keras.ops.convert_to_numpy(value) if tf.is_tensor(value) else value)


def _in_precision(array: NDArray[Any]) -> NDArray[Any]:
    return (array.astype(keras.config.floatx(), copy=False) if array.dtype.kind == "f" else array)


def _structure(value: Any) -> Any:
    """Lists of numbers become arrays; structures keep their form. Nothing large is copied."""
    if isinstance(value, Mapping):
        return {key: _structure(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and any(hasattr(item, "shape") for item in value):
        parts = [_structure(item) for item in value]
        return parts if isinstance(value, list) else tuple(parts)
    return None if value is None else _plain(value)


def _of_arrays(x: Any, y: Any, weight: Any, batch_size: int, most: int) -> Sample:
    parts = [_structure(part) for part in (x, y, weight)]
    lengths = {array.shape[0] if array.ndim else -1 for array in tf.nest.flatten(
        [part for part in parts if part is not None])}
    if len(lengths) != 1 or -1 in lengths:
        raise DataError(f"x, y and weights have different lengths: {sorted(lengths)}")
    sample = Sample(parts[0], parts[1], parts[2], batch_size)
    count = len(sample)
    size = sum(array.nbytes for array in tf.nest.flatten([p for p in parts if p is not None]))
    kept = min(most, count, max(1, int(MOST_BYTES / max(1, size / max(1, count)))))
    if kept < count:
        rows = np.sort(np.random.default_rng(0).choice(count, kept, replace=False))
        sample = sample.take(rows)
    # Of what is kept: the rest may not fit in memory twice.
    return sample.with_(total=count).mapped(_in_precision)


def _batches(source: Any) -> Iterator[Any]:
    if isinstance(source, keras.utils.PyDataset):
        yield from (source[index] for index in range(source.num_batches or 0))
    else:
        yield from iter(source)


def _size_of(pipeline: Any, batch_size: int) -> int | None:
    """Samples of a pipeline that knows how many batches it has; None of an endless one."""
    batches = pipeline.num_batches if isinstance(pipeline, keras.utils.PyDataset) else (
        int(pipeline.cardinality()) if isinstance(pipeline, tf.data.Dataset) else None)
    return batches * batch_size if batches is not None and batches > 0 else None


def _of_batches(batches: Iterator[Any], most: int) -> Sample:
    """The first batches of a pipeline, joined."""
    found: list[Any] = []
    count = size = batch_size = 0
    whole = True
    for batch in batches:
        parts = [_mapped(_in_precision, _structure(part))
                 for part in keras.utils.unpack_x_y_sample_weight(batch)]
        leaves = tf.nest.flatten([part for part in parts if part is not None])
        if any(leaf.ndim == 0 for leaf in leaves):
            raise DataError("the pipeline gives single samples; batch it: dataset.batch(32)")
        found.append(parts)
        batch_size = max(batch_size, leaves[0].shape[0])
        count += leaves[0].shape[0]
        size += sum(leaf.nbytes for leaf in leaves)
        if count >= most or size >= MOST_BYTES:
            whole = False  # there may be more: an endless pipeline is one
            break
    if not found:
        raise DataError("the pipeline gives no batches")

    def joined(place: int) -> Any:
        parts = [parts[place] for parts in found]
        if parts[0] is None:
            return None
        return tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)

    try:
        return Sample(joined(0), joined(1), joined(2), batch_size, whole, False,
                      count if whole else None)
    except ValueError as error:
        raise DataError(
            "the batches have different shapes and cannot be joined; pad all of them to one "
            f"length ({error})"
        ) from error


def _class_weights(sample: Sample, class_weight: Mapping[int, float]) -> NDArray[np.float32]:
    """Sample weights `[N]` that do what `class_weight` does in `fit`."""
    y = np.asarray(sample.y)
    classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype(int)
    own = np.array([class_weight.get(int(c), 1.0) for c in classes], np.float32)
    return own if sample.weight is None else own * np.asarray(sample.weight, np.float32)


def order_of(count: int, batch_size: int, steps: int, seed: int, shuffle: bool = True
             ) -> NDArray[np.int64]:
    """Which samples make each batch: int64 `[steps, B]`; epoch after epoch, each a permutation.

    B is `batch_size`, or `count` where there are fewer. What does not fill a batch at the end of an
    epoch is left out of that epoch.

    >>> order_of(4, 2, 3, seed=0, shuffle=False)
    array([[0, 1],
           [2, 3],
           [0, 1]])
    """
    size = min(batch_size, count)
    per_epoch = count // size
    random = np.random.default_rng(seed)
    epochs = []
    for _ in range(-(-steps // per_epoch)):
        rows = random.permutation(count) if shuffle else np.arange(count)
        epochs.append(rows[: per_epoch * size].reshape(per_epoch, size))
    return np.concatenate(epochs)[:steps].astype(np.int64)


def for_keras(value: Any) -> Any:
    """Parts of a sample as Keras takes them: texts as tensors, everything else as it is."""
    return _mapped(
        lambda array: tf.convert_to_tensor(array) if array.dtype.kind in "OSU" else array, value)


def split(sample: Sample, share: float, seed: int = 0) -> tuple[Sample, Sample]:
    """Training and held-out part of a sample, at random; both have at least one sample."""
    rows = np.random.default_rng(seed).permutation(len(sample))
    held = min(len(rows) - 1, max(1, int(share * len(rows))))
    return sample.take(np.sort(rows[held:])), sample.take(np.sort(rows[:held]))
