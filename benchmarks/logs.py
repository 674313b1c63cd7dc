"""Log directories of any size in bounded memory: many runs, or one of a hundred thousand records.

As `large_logs`, but written piece by piece, each run with its own configuration, and all of a
training that goes well. Made once, they are kept for the other benchmarks of the program.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorboard.compat.proto import event_pb2
from tensorboard.util import tensor_util

from benchmarks.large_logs import variable_rows
from benchmarks.report import say
from tb_convergence.core import schema, statistics
from tb_convergence.core.schema import Layout, Row

START: Final = 1.7e9
_AT_ONCE: Final = 64 * 2**20
"""Bytes of values that are made at a time."""


@cache
def room() -> Path:
    """A folder for the logs of this program; gone when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="tb_convergence_bench_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def logs(runs: int, rows: int, records: int) -> Path:
    """A log directory of `runs` runs, each of `records` records of `rows` variables."""
    folder = room() / f"{runs}x{rows}x{records}"
    if not folder.exists():
        say(f"writing {runs} runs of {records:,} records of {rows} variables")
        for index in range(runs):
            write_run(folder / f"sweep-{index // 100:02d}" / f"run-{index % 100:02d}", rows,
                      records, index)
    return folder


def linked(folder: Path, times: int) -> Path:
    """The runs of `folder`, `times` over: the same files by further names, no further bytes."""
    target = folder.with_name(f"{folder.name}-times-{times}")
    if not target.exists():
        for path in folder.rglob("*tfevents*"):
            for time in range(times):
                run = target / f"copy-{time:02d}" / path.parent.relative_to(folder)
                run.mkdir(parents=True)
                os.link(path, run / path.name)
    return target


def drop(folder: Path) -> None:
    """Give the disk back."""
    shutil.rmtree(folder)


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_run(folder: Path, rows: int, records: int, seed: int = 0) -> Path:
    """One event file: the configuration, and per record a table of variables and one of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"events.out.tfevents.{START:.0f}.benchmark.1.{seed}"
    variables = schema.layout_of("variables", variable_rows(rows), statistics.columns("variables"))
    whole = schema.layout_of("run", (Row("run", "run", "run"),), statistics.columns("run"))
    with tf.io.TFRecordWriter(str(path)) as file:
        file.write(event_pb2.Event(wall_time=START, file_version="brain.Event:2")
                   .SerializeToString())
        file.write(_event(schema.CONFIG_TAG, 0, np.array(json.dumps(_config(rows)).encode()), b""))
        append(file, variables, whole, range(records), records, seed)
    return path


def append(
    file: Any, variables: Layout, whole: Layout, steps: range, records: int, seed: int
) -> None:
    """Records at `steps` of a run that will have `records`; the first of all carries metadata."""
    random = np.random.default_rng(seed)
    tags = [(layout.tag, schema.encode_layout(layout)) for layout in (variables, whole)]
    rows = len(variables.rows)
    chunk = max(1, min(len(steps), _AT_ONCE // (64 * rows)))
    noise = random.lognormal(0.0, 0.15, (min(chunk, 64), rows)).astype(np.float32)
    for first in range(steps.start, steps.stop, chunk):
        part = np.arange(first, min(first + chunk, steps.stop))
        t = (part / max(1, records - 1)).astype(np.float32)[:, None]
        norm = (0.3 * np.exp(-t) + 0.02) * noise[part % len(noise)]
        tables = _sealed(_variables(variables, t, norm))
        lines = _sealed(_run(whole, t, norm))
        for index, step in enumerate(part.tolist()):
            for (tag, content), values in zip(tags, (tables, lines), strict=True):
                file.write(_event(tag, step, values[index], b"" if step else content))


def _sealed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """`schema.seal` of many records at once: `[S, R, C]` -> `[S, R, C + 1]`."""
    return np.concatenate([values, schema.row_checks(values)[..., None]], axis=-1)


def _event(tag: str, step: int, array: NDArray[Any], content: bytes) -> bytes:
    event = event_pb2.Event(step=step, wall_time=START + 0.25 * step)
    value = event.summary.value.add(tag=tag)
    if array.dtype == np.float32:
        value.tensor.dtype = 1  # DT_FLOAT
        for extent in array.shape:
            value.tensor.tensor_shape.dim.add(size=extent)
        value.tensor.tensor_content = array.tobytes()
    else:
        value.tensor.CopyFrom(tensor_util.make_tensor_proto(array))
    if content or step == 0:
        value.metadata.plugin_data.plugin_name = schema.PLUGIN_NAME
        value.metadata.plugin_data.content = content
        value.metadata.data_class = 2  # tensor
    return bytes(event.SerializeToString())


def _config(rows: int) -> dict[str, Any]:
    return {
        "optimizer": {"class": "SGD", "learning_rate": 0.01}, "loss": "categorical_crossentropy",
        "batch_size": 32,
        "layers": [{"name": f"block_{i}", "activation": "relu"} for i in range((rows + 1) // 2)],
    }


def _table(layout: Layout, records: int, columns: dict[str, Any]) -> NDArray[np.float32]:
    """`[records, R, C]` from columns that broadcast to `[records, R]`; 0 where none is given."""
    names = layout.columns[:-1]
    values = np.zeros((records, len(layout.rows), len(names)), dtype=np.float32)
    for name, column in columns.items():
        values[:, :, names.index(name)] = column
    return values


def _variables(layout: Layout, t: Any, norm: Any) -> NDArray[np.float32]:
    weight = 4.0 + 1.5 * t
    return _table(layout, len(t), {
        "gradient_norm": norm, "gradient_max": norm * 0.2, "gradient_mean_abs": norm * 0.01,
        "gradient_zero_fraction": 0.05, "variable_norm": weight, "variable_mean": 0.001 * t,
        "variable_std": weight / 60, "update_norm": 0.01 * norm,
        "update_ratio": 0.01 * norm / weight, "window_gradient_norm_max": norm * 1.2,
    })


def _run(layout: Layout, t: Any, norm: Any) -> NDArray[np.float32]:
    loss = (0.15 + 2.1 * np.exp(-14 * t)) * norm[:, :1] / (0.3 * np.exp(-t) + 0.02)
    whole = np.sqrt((norm.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return _table(layout, len(t), {
        "loss": loss, "data_loss": loss, "learning_rate": 0.01, "gradient_global_norm": whole,
        "clipped_gradient_global_norm": whole, "variable_global_norm": 11.0 + t,
        "update_global_norm": whole * 0.01, "window_steps": 1.0, "window_loss_mean": loss,
        "window_loss_max": loss * 1.1, "window_loss_min": loss * 0.9,
        "first_nonfinite_age_steps": np.nan,
    })
