"""Writes the result of an experiment into the folder of a run."""

from __future__ import annotations

import os
import time

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tb_convergence.core.experiments import ExperimentRecord, encode, tag_of
from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.training.host.event_file import EventFile

SUFFIX = ".convergence.experiment"


def write_record(log_dir: str | os.PathLike[str], record: ExperimentRecord) -> None:
    """Append `record` to the run in `log_dir`, in an event file of its own.

    Raises:
        OSError: the folder or the file cannot be made.
        SchemaError: the record is too large.
    """
    text = encode(record)
    tensor = tensor_pb2.TensorProto(
        dtype=types_pb2.DT_STRING, tensor_shape=tensor_shape_pb2.TensorShapeProto(),
        string_val=[text],
    )
    metadata = summary_pb2.SummaryMetadata(
        display_name="Convergence: experiments",
        plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME),
        data_class=summary_pb2.DATA_CLASS_TENSOR,
    )
    tag = tag_of(record.kind, text)
    value = summary_pb2.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
    event = event_pb2.Event(
        wall_time=record.wall_time or time.time(), step=record.step,
        summary=summary_pb2.Summary(value=[value]),
    )
    events = EventFile(os.fspath(log_dir), 10, 120, SUFFIX)
    try:
        events.add_event(event)
    finally:
        events.close()
