"""Recording from any framework: arrays in, records out. NumPy only, no TensorFlow.

PyTorch, JAX, a solver of one's own: whoever has gradients and variables as arrays can call
`log_health` once a step, or every so many.
"""

from __future__ import annotations

import atexit
import logging
import math
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.schema import SCHEMA_VERSION
from tb_convergence.training.host.arguments import checked_log_dir
from tb_convergence.training.host.epochs import Epochs
from tb_convergence.training.host.writer import RunWriter, channel
from tb_convergence.training.loops import array_tables

logger = logging.getLogger("tb_convergence")

Given = Mapping[str, Any]

MOST_OPEN: Final = 100
"""Folders whose files are open at a time: each takes a thread and a file of the process, which on
many systems may open 256. A further call for one that was closed begins a new file."""

LARGEST_STEP: Final = 2**63 - 1


def log_health(
    log_dir: str | os.PathLike[str],
    step: int,
    *,
    gradients: Given | None = None,
    variables: Given | None = None,
    updates: Given | None = None,
    activations: Given | None = None,
    inputs: Any = None,
    targets: Any = None,
    outputs: Any = None,
    loss: float | None = None,
    learning_rate: float | None = None,
    epoch_loss: float | None = None,
    validation_loss: float | None = None,
    batch_size: int | None = None,
) -> None:
    """Record one step of a training in any framework.

    Args:
        log_dir: folder for the event file; TensorBoard shows the folder as one run. All calls of
            one process with the same folder, from any thread, share a file. `close_health` closes
            it, or the end of the process.
        step: number of the update, from 0.
        gradients: gradients by name, before clipping, without loss scaling; None for a variable
            that the loss does not depend on.
        variables: variables by the same names, before the update.
        updates: new value minus old value, by the same names, if known.
        activations: outputs of layers by name, `[B, ..., U]`.
        inputs, targets, outputs: data and predictions, an array `[B, ..., F]` or arrays by name.
        loss, learning_rate: values of this step; the loss may be NaN or infinite.
        epoch_loss, validation_loss: losses of an epoch that ended with this step.
        batch_size: samples in a batch; not needed if `inputs` is given.

    Raises:
        TypeError: an argument is of the wrong type, or an array does not hold real numbers.
        ValueError: there is nothing to record, the step is negative, or shapes under one name
            differ.

    Wrong arguments raise an exception, because you can correct them. If the file cannot be written,
    the function writes one log line, and the training goes on.

    The part of a name before its last separator is the layer: "encoder.0" in "encoder.0.weight",
    "dense" in "dense/kernel". Arrays are anything `numpy.asarray` takes; of a PyTorch tensor pass
    `tensor.detach().cpu().numpy()`.
    """
    path, number = checked_log_dir(log_dir), _step(step)
    given = {
        part: None if arrays is None else _arrays(part, arrays)
        for part, arrays in (
            ("gradients", gradients), ("variables", variables), ("updates", updates),
        )
    }
    _same_shapes(given)
    numbers = {
        name: _number(name, value)
        for name, value in (("loss", loss), ("learning_rate", learning_rate))
        if value is not None
    }
    tensors = [
        *_named("input", inputs), *_named("target", targets), *_named("prediction", outputs)
    ]
    found = array_tables.variable_tables(
        given["gradients"], given["variables"], given["updates"], numbers
    )
    if activations is not None:
        found.append(array_tables.activation_table(_arrays("activations", activations)))
    if tensors:
        found.append(array_tables.input_table(tensors))
    logs = {
        name: _number(label, value)
        for name, label, value in (
            ("loss", "epoch_loss", epoch_loss), ("val_loss", "validation_loss", validation_loss),
        )
        if value is not None
    }
    found = [table for table in found if table.rows and table.names]
    examples = _batch(batch_size, tensors)
    if not found and not logs:
        raise ValueError("nothing to record: pass gradients, variables, or another argument")
    while not _log_of(path).write(found, logs, number, examples):
        pass  # another thread closed the file: begin a new one


def close_health(log_dir: str | os.PathLike[str] | None = None) -> None:
    """Close the file of `log_dir`, or all files. A later call of `log_health` begins a new file."""
    with _LOCK:
        keys = list(_LOGS) if log_dir is None else [_key(checked_log_dir(log_dir))]
        logs = [_LOGS.pop(key) for key in keys if key in _LOGS]
    for log in logs:
        log.close()


class _Log:
    """The event file of one folder. Thread-safe; its methods never raise."""

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._failed = self._closed = False
        self._epochs = Epochs()
        self._facts: dict[str, Any] = {}
        self._writer: RunWriter | None = None
        self._guarded(self._open)

    def _open(self) -> None:
        self._writer = RunWriter(self._log_dir)

    def write(
        self, tables: Sequence[array_tables.Columns], logs: Mapping[str, float], step: int,
        batch_size: int | None,
    ) -> bool:
        """One call of `log_health`; False where the file was closed in the meantime."""
        with self._lock:
            if self._closed:
                return False
            self._guarded(lambda: self._write(tables, logs, step, batch_size))
            return True

    def _write(
        self, tables: Sequence[array_tables.Columns], logs: Mapping[str, float], step: int,
        batch_size: int | None,
    ) -> None:
        if self._writer is None:
            return
        known = {"writer": "log_health", "batch_size": batch_size, "validation": "val_loss" in logs}
        facts = {**self._facts, **{name: value for name, value in known.items() if value}}
        if facts != self._facts:
            self._facts = facts
            self._writer.config({"schema": SCHEMA_VERSION, **facts}, step)
        for table in tables:
            label = self._writer.label
            target = channel(table.group, table.rows, table.names, label)
            self._writer.table(target, table.values, step)
        if logs:
            self._epochs.write(self._writer, logs, step)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            writer, self._writer = self._writer, None
            with suppress(Exception):
                if writer is not None:
                    writer.close()

    def _guarded(self, action: Callable[[], None]) -> None:
        if self._failed:
            return
        try:
            action()
        except Exception as error:
            self._failed = True
            logger.warning(
                "log_health stops recording in %s: %s: %s",
                self._log_dir, type(error).__name__, error,
            )


_LOGS: Final[dict[str, _Log]] = {}
_LOCK = threading.Lock()

atexit.register(close_health)


def _begin_as_child() -> None:
    """A forked child has no thread that writes, and must not write into its parent's file. A lock
    that another thread held when the process was forked stays locked in the child for ever."""
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.Lock()
    _LOGS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_as_child)


def _key(log_dir: str) -> str:
    return log_dir if "://" in log_dir else os.path.abspath(log_dir)


def _log_of(log_dir: str) -> _Log:
    """The log of a folder; the one that was not used for longest is closed where there are many."""
    key, longest_unused = _key(log_dir), None
    with _LOCK:
        found = _LOGS.pop(key, None) or _Log(log_dir)
        _LOGS[key] = found  # behind all others
        if len(_LOGS) > MOST_OPEN:
            longest_unused = _LOGS.pop(next(iter(_LOGS)))
    if longest_unused is not None:
        longest_unused.close()
    return found


# ---- what a caller may pass -------------------------------------------------------------------


def _step(step: Any) -> int:
    if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)):
        raise TypeError(f"step is {step!r}; expected a whole number")
    if not 0 <= step <= LARGEST_STEP:
        raise ValueError(f"step is {step!r}; expected a number from 0 to 2**63 - 1")
    return int(step)


def _number(name: str, value: Any) -> float:
    try:
        array = _real(value)
        if array is not None and array.size == 1:
            return float(array.reshape(()))
        problem = ""
    except Exception as error:  # whatever the value's own conversion raises
        problem = f" ({error})"
    raise TypeError(f"{name} is {_cut(value)}; expected one number{problem}")


def _real(value: Any) -> NDArray[Any] | None:
    """`value` as an array of real numbers; None where it holds something else."""
    array = np.asarray(value)
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind == "V" and array.dtype.names is None:
        return array.astype(np.float32)  # bfloat16 and its like
    return None


def _arrays(name: str, arrays: Any) -> dict[str, NDArray[Any] | None]:
    if not isinstance(arrays, Mapping):
        raise TypeError(
            f"{name} is {type(arrays).__name__}; expected a dictionary from name to array"
        )
    return {
        str(key): None if value is None else _array(f"{name}[{key!r}]", value)
        for key, value in arrays.items()
    }


def _array(name: str, value: Any) -> NDArray[Any]:
    if np.ma.is_masked(value):
        raise TypeError(
            f"{name} is a masked array; pass the entries that count, such as `.compressed()`, or "
            "fill the others with `.filled(value)`"
        )
    try:
        array = _real(value)
        if array is not None:
            return array
        problem = f"holds {np.asarray(value).dtype}"
    except Exception as error:
        problem = f"cannot be read as an array: {error}"
    raise TypeError(f"{name} {problem}; expected an array of real numbers")


def _same_shapes(given: Mapping[str, array_tables.Arrays | None]) -> None:
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for part, arrays in given.items():
        for name, array in (arrays or {}).items():
            if array is None:
                continue
            other, shape = shapes.setdefault(name, (part, array.shape))
            if shape != array.shape:
                raise ValueError(
                    f"{part}[{name!r}] has shape {array.shape}, {other}[{name!r}] {shape}"
                )


def _named(kind: str, value: Any) -> list[tuple[str, str, NDArray[Any]]]:
    """(name, kind, array) of an array, or of arrays by name."""
    if value is None:
        return []
    named = value if isinstance(value, Mapping) else {kind: value}
    found = [(str(name), _array(f"{kind} {name!r}", item)) for name, item in named.items()]
    return [
        (name, kind, array) for name, array in found if array.ndim < 2 or array.shape[-1] > 0
    ]


def _batch(
    batch_size: Any, tensors: Sequence[tuple[str, str, NDArray[Any]]]
) -> int | None:
    if batch_size is not None:
        size = _number("batch_size", batch_size)
        if size < 1 or not math.isfinite(size) or size != int(size):
            raise ValueError(f"batch_size is {batch_size!r}; expected a whole number >= 1")
        return int(size)
    sizes = [len(array) for _, _, array in tensors if array.ndim]
    return sizes[0] if sizes else None


def _cut(value: Any) -> str:
    return repr(value)[:80]
