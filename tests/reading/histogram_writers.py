"""Histograms of arrays as TensorFlow 1, TensorFlow 2 and PyTorch write them into an event file."""

from __future__ import annotations

import numpy as np
from event_files import EventFile
from numpy.typing import NDArray
from tensorboard.compat.proto import summary_pb2

Array = NDArray[np.floating]


def _limits() -> Array:
    limit, limits = 1e-12, []
    while limit < 1e20:
        limits.append(limit)
        limit *= 1.1
    return np.array([-x for x in reversed(limits)] + [0.0] + limits)


LIMITS = _limits()


def tensorflow_1(
    file: EventFile, tag: str, step: int, values: Array, wall_time: float | None = None
) -> None:
    """The op `HistogramSummary`: growing buckets, one limit for a stretch of empty ones."""
    data = np.asarray(values, dtype=np.float64).ravel()
    limits = np.append(LIMITS, np.finfo(np.float64).max)
    counts = np.bincount(np.searchsorted(limits, data, side="right"), minlength=len(limits))
    histogram = summary_pb2.HistogramProto(
        min=data.min(), max=data.max(), num=data.size, sum=data.sum(),
        sum_squares=float(np.dot(data, data)),
    )
    for index, count in enumerate(counts):
        if count or (index + 1 < len(counts) and counts[index + 1]) or index + 1 == len(counts):
            histogram.bucket_limit.append(limits[index])
            histogram.bucket.append(count)
    file.value(step, summary_pb2.Summary.Value(tag=tag, histo=histogram), wall_time)


def pytorch(file: EventFile, tag: str, step: int, values: Array) -> None:
    """`add_histogram`: every bucket from the first to the last used one, an empty one before."""
    data = np.asarray(values, dtype=np.float64).ravel()
    counts, edges = np.histogram(data, bins=LIMITS)
    used = np.flatnonzero(counts)
    first, last = used[0], used[-1]
    histogram = summary_pb2.HistogramProto(
        min=data.min(), max=data.max(), num=data.size, sum=data.sum(),
        sum_squares=float(np.dot(data, data)),
        bucket_limit=edges[first : last + 2].tolist(),
        bucket=[0, *counts[first : last + 1].tolist()],
    )
    file.value(step, summary_pb2.Summary.Value(tag=tag, histo=histogram))


def tensorflow_2(
    file: EventFile, tag: str, step: int, values: Array, wall_time: float | None = None
) -> None:
    """`tf.summary.histogram`: 30 equal buckets; NaN edges and no counts where an entry is NaN."""
    data = np.asarray(values, dtype=np.float64).ravel()
    low, high = data.min(initial=np.inf), data.max(initial=-np.inf)
    if not data.size:
        rows = np.zeros((30, 3))
    elif low == high:
        rows = np.array([[low, low, 0.0]] * 29 + [[low, low, data.size]])
    else:
        with np.errstate(invalid="ignore"):
            width = (high - low) / 30
            place = np.minimum(np.floor((data - low) / width), 29)
            edges = np.append(low + np.arange(30) * width, high)
            edges[0] = low
        counts = [np.count_nonzero(place == index) for index in range(30)]
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
    file.tensor(tag, step, rows, plugin="histograms", data_class=0, wall_time=wall_time)


WRITERS = {"TensorFlow 1": tensorflow_1, "TensorFlow 2": tensorflow_2, "PyTorch": pytorch}
