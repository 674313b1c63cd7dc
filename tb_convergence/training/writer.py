"""Event file of one run: our tables as TensorBoard's own events, written outside the train step.

We write the protocol buffers ourselves, with TensorBoard's `EventFileWriter`: independent of
TensorFlow, of default writers and of `tf.summary`'s step; and metadata is written once per tag,
where `tf.summary` would repeat it in every event.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto import (
    event_pb2,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tb_convergence.core import schema
from tb_convergence.core.schema import Row

SUFFIX: Final = ".convergence"
FLUSH_SECONDS: Final = 2
"""Longest time that a record waits in memory: what a killed process loses, a live tab waits."""

QUEUE_RECORDS: Final = 100


def _metadata(content: bytes, title: str) -> summary_pb2.SummaryMetadata:
    return summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(
            plugin_name=schema.PLUGIN_NAME, content=content
        ),
        display_name=title,
        # Without a data class both loaders hide the summary.
        data_class=summary_pb2.DATA_CLASS_TENSOR,
    )


def _tensor(values: NDArray[np.float32]) -> tensor_pb2.TensorProto:
    extents = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in values.shape]
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=extents),
        tensor_content=np.ascontiguousarray(values, dtype="<f4").tobytes(),
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """One tag of the file: a group with a fixed layout."""

    tag: str
    title: str
    content: bytes


def channel(group: str, rows: Sequence[Row], columns: Sequence[str]) -> Channel:
    """The channel for tables of `group` with these rows and columns."""
    layout = schema.layout_of(group, rows, columns)
    return Channel(layout.tag, f"Convergence: {group}", schema.encode_layout(layout))


class RunWriter:
    """Writes tables and the configuration of one run. Not safe for use by several threads."""

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir
        self._events = EventFileWriter(
            log_dir,
            max_queue_size=QUEUE_RECORDS,
            flush_secs=FLUSH_SECONDS,
            filename_suffix=SUFFIX,
        )
        self._described: set[str] = set()

    def table(
        self,
        target: Channel,
        values: NDArray[np.float32],
        step: int,
        wall_time: float | None = None,
    ) -> None:
        """Write one record `[R, C]`; its checksums are added here."""
        self._write(
            target.tag, target.title, target.content, _tensor(schema.seal(values)), step, wall_time
        )

    def config(self, document: Mapping[str, Any], step: int) -> None:
        """Write the run's static configuration as strict JSON."""
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(),
            string_val=[text.encode("utf-8", "replace")],
        )
        self._write(schema.CONFIG_TAG, "Convergence: configuration", b"", tensor, step, None)

    def _write(
        self,
        tag: str,
        title: str,
        content: bytes,
        tensor: tensor_pb2.TensorProto,
        step: int,
        wall_time: float | None,
    ) -> None:
        value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
        if tag not in self._described:
            value.metadata.CopyFrom(_metadata(content, title))
            self._described.add(tag)
        self._events.add_event(
            event_pb2.Event(
                wall_time=time.time() if wall_time is None else wall_time,
                step=step,
                summary=summary_pb2.Summary(value=[value]),
            )
        )

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        self._events.flush()

    def close(self) -> None:
        """Write what is queued and close the file."""
        self._events.close()
