"""Large runs for the page's benchmark and its tests, written in seconds.

    python -m benchmarks.large_logs FOLDER --runs 20 --rows 400 --records 2000

The records are the recorder's own: the same layouts, checks and events as `RunWriter` writes them.
Only the frames of the file are made by TensorFlow, whose checksums take microseconds where
TensorBoard's, in Python, take milliseconds each. Runs of one story are links to one file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tb_convergence.core import schema, statistics
from tb_convergence.core.schema import Row
from tb_convergence.training.host.writer import channel, metadata_of

Floats = NDArray[np.float32]

START: Final = 1_763_700_000.0
FILE: Final = "events.out.tfevents.1763700000.large.1.0.convergence"


def _healthy(time: Floats, depth: Floats) -> Floats:
    return 0.3 * np.exp(-3 * time) + 0.02 + 0 * depth


def _exploding(time: Floats, depth: Floats) -> Floats:
    norm = 0.3 * 10 ** (np.clip(time / 0.8, 0, 1) * 7 * (1.2 - depth))
    return np.where(time < 0.8, norm, np.nan)


def _vanishing(time: Floats, depth: Floats) -> Floats:
    return 0.5 * 10 ** (-9 * (1 - depth)) + 0 * time


def _dead(time: Floats, depth: Floats) -> Floats:
    return np.where((time > 0.3) & (depth < 0.5), 0.0, 0.1)


STORIES: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "healthy": _healthy, "exploding": _exploding, "vanishing": _vanishing, "dead": _dead,
}
"""Gradient norm by time and depth, both from 0 to 1."""


def variable_rows(count: int) -> tuple[Row, ...]:
    """Kernels and biases in turn, from input to output."""
    rows = []
    for index in range(count):
        layer = f"block_{index // 8:03d}/dense_{index // 2 % 4}"
        kind, shape = ("bias", (64,)) if index % 2 else ("kernel", (64, 64))
        rows.append(Row(f"{layer}/{kind}", layer, kind, shape, "float32", "relu", "GlorotUniform"))
    return tuple(rows)


def write_run(folder: Path, story: str, rows: int, records: int, seed: int = 0) -> Path:
    """One run: `variables` `[records, rows, C]` and `run` `[records, 1, C]`. Returns its file."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, records, dtype=np.float32)[:, None]
    depth = np.linspace(0, 1, rows, dtype=np.float32)[None, :]
    norm = STORIES[story](time, depth) * rng.lognormal(0, 0.15, (records, rows))
    broken = np.isnan(norm)
    weight = np.where(np.arange(rows) % 2, 0.8, 4.0) + time
    whole = np.sqrt((norm.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    loss = np.where(broken.any(axis=1, keepdims=True), np.nan, 0.2 + 2.1 * np.exp(-6 * time))
    tables = {
        "variables": (variable_rows(rows), {
            "gradient_norm": norm, "gradient_max": norm * 0.2, "gradient_mean_abs": norm * 0.01,
            "gradient_zero_fraction": np.where(norm == 0, 1.0, 0.02),
            "gradient_nan_fraction": broken, "gradient_inf_fraction": 0, "gradient_missing": 0,
            "variable_norm": weight, "variable_mean": 0.001, "variable_std": weight / 60,
            "variable_nonfinite_fraction": 0, "update_norm": norm * 0.01,
            "update_ratio": norm * 0.01 / weight, "window_gradient_norm_max": norm * 1.2,
            "window_nonfinite_steps": broken,
        }),
        "run": ((Row("run", "run", "run"),), {
            "loss": loss * rng.lognormal(0, 0.03, (records, 1)), "learning_rate": 0.01,
            "gradient_global_norm": whole, "variable_global_norm": 11, "update_global_norm": whole,
            "window_steps": 1,
        }),
    }
    return write_tables(folder, tables, np.arange(records))


def write_tables(
    folder: Path,
    tables: Mapping[str, tuple[tuple[Row, ...], Mapping[str, Any]]],
    steps: NDArray[Any],
) -> Path:
    """An event file of one run.

    Args:
        tables: by group its R rows, and columns by name, each to be broadcast to `[S, R]`; columns
            that are not given are undefined.
        steps: `[S]`.
    """
    # Only here: TensorFlow takes seconds to load.
    import tensorflow as tf  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(event_pb2.Event(wall_time=START, file_version="brain.Event:2")
                   .SerializeToString())
        for group, (rows, columns) in tables.items():
            names = statistics.columns(group)  # type: ignore[arg-type]
            target = channel(group, rows, names)
            for index, record in enumerate(_records(len(steps), len(rows), names, columns)):
                value = summary_pb2.Summary.Value(tag=target.tag, tensor=_tensor(record))
                if index == 0:
                    value.metadata.CopyFrom(metadata_of(target))
                step = int(steps[index])
                event = event_pb2.Event(step=step, wall_time=START + step * 0.25,
                                        summary=summary_pb2.Summary(value=[value]))
                file.write(event.SerializeToString())
    return path


def _records(
    count: int, rows: int, names: tuple[str, ...], columns: Mapping[str, Any]
) -> Floats:
    """`[count, rows, C + 1]` with the check of each row."""
    data = np.full((count, rows, len(names)), np.nan, dtype=np.float32)
    for name, column in columns.items():
        data[:, :, names.index(name)] = column
    sealed = schema.seal(data.reshape(count * rows, len(names)))
    return sealed.reshape(count, rows, len(names) + 1)


def _tensor(record: Floats) -> tensor_pb2.TensorProto:
    extents = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in record.shape]
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=extents),
        tensor_content=np.ascontiguousarray(record, dtype="<f4").tobytes(),
    )


def write_runs(folder: Path, runs: int, rows: int, records: int) -> None:
    """Runs of all stories in turn."""
    files: dict[str, Path] = {}
    for index in range(runs):
        story = list(STORIES)[index % len(STORIES)]
        run = folder / f"{story}-{index:02d}"
        if story not in files:
            files[story] = write_run(run, story, rows, records, seed=index)
        else:
            run.mkdir(parents=True, exist_ok=True)
            os.link(files[story], run / FILE)


def main() -> None:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--records", type=int, default=2_000)
    parser.add_argument("--alone", action="store_true", help="FOLDER is one run that explodes")
    options = parser.parse_args()
    if options.alone:
        write_run(options.folder, "exploding", options.rows, options.records)
        return
    write_runs(options.folder, options.runs, options.rows, options.records)


if __name__ == "__main__":
    main()
