"""Writes event files for tests, record by record, without TensorFlow and without our recorder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from tb_convergence.core import schema
from tb_convergence.core.schema import Layout


class EventFile:
    """One event file of one run. As a context manager it closes itself.

    Metadata travels with the first record of a tag only, as every writer does it.
    """

    def __init__(self, run: Path, name: str = "events.out.tfevents.1700000000.test.1.0") -> None:
        run.mkdir(parents=True, exist_ok=True)
        self.path = run / name
        self._file = self.path.open("wb")
        self._writer = RecordWriter(self._file)
        self._known: set[str] = set()
        self._write(event_pb2.Event(wall_time=1.7e9, file_version="brain.Event:2"))

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _write(self, event: event_pb2.Event) -> None:
        self._writer.write(event.SerializeToString())
        self._file.flush()

    def value(
        self, step: int, value: summary_pb2.Summary.Value, wall_time: float | None = None
    ) -> None:
        """Any summary value; the wall time is the step's own second unless given."""
        event = event_pb2.Event(
            step=step, wall_time=1.7e9 + step if wall_time is None else wall_time
        )
        event.summary.value.append(value)
        self._write(event)

    def tensor(
        self,
        tag: str,
        step: int,
        array: Any,
        *,
        plugin: str = schema.PLUGIN_NAME,
        content: bytes = b"",
        wall_time: float | None = None,
        data_class: int = summary_pb2.DATA_CLASS_TENSOR,
    ) -> None:
        """A tensor summary of any plugin."""
        proto = (
            array
            if not isinstance(array, (np.ndarray, str, bytes, list, float))
            else tensor_util.make_tensor_proto(array)
        )
        value = summary_pb2.Summary.Value(tag=tag, tensor=proto)
        if tag not in self._known:
            value.metadata.plugin_data.plugin_name = plugin
            value.metadata.plugin_data.content = content
            value.metadata.data_class = data_class
            self._known.add(tag)
        self.value(step, value, wall_time)

    def record(
        self, layout: Layout, step: int, values: Any, wall_time: float | None = None
    ) -> None:
        """A sealed record `[R, C]` of `layout`, as the recorder writes it."""
        sealed = schema.seal(np.asarray(values, dtype=np.float32))
        self.tensor(
            layout.tag, step, sealed, content=schema.encode_layout(layout), wall_time=wall_time
        )

    def config(
        self, config: Mapping[str, Any], step: int = 0, wall_time: float | None = None
    ) -> None:
        """The run's configuration."""
        self.tensor(schema.CONFIG_TAG, step, json.dumps(config), wall_time=wall_time)

    def scalar(self, tag: str, step: int, value: float, wall_time: float | None = None) -> None:
        """A scalar as TensorFlow 2 and Keras write it."""
        self.tensor(
            tag, step, np.asarray(value, dtype=np.float32), plugin="scalars",
            data_class=summary_pb2.DATA_CLASS_SCALAR, wall_time=wall_time,
        )

    def simple(self, tag: str, step: int, value: float, wall_time: float | None = None) -> None:
        """A scalar as TensorFlow 1, PyTorch and tensorboardX write it."""
        self.value(step, summary_pb2.Summary.Value(tag=tag, simple_value=value), wall_time)


def append(path: Path, *records: Iterable[Any]) -> None:
    """Append raw bytes to a file: a torn or foreign tail."""
    with path.open("ab") as file:
        for record in records:
            file.write(bytes(record))
