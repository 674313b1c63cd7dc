"""Writes a landscape into a run's folder as a summary of the plugin's own."""

from __future__ import annotations

import json
import time
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2

from tb_convergence.core.landscape import check_name, tag_of
from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.training.host.event_file import EventFile

SUFFIX = ".landscape"


def write_record(log_dir: str, document: dict[str, Any], step: int) -> None:
    """Write one landscape's JSON document as a string tensor, in an event file of its own.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    name = check_name(document["name"])
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    value = summary_pb2.Summary.Value(
        tag=tag_of(name),
        metadata=summary_pb2.SummaryMetadata(
            plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME),
            display_name=f"Convergence: landscape {name}",
            data_class=summary_pb2.DATA_CLASS_TENSOR,
        ),
        tensor=tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(),
            string_val=[text.encode("utf-8", "replace")],
        ),
    )
    events = EventFile(log_dir, 10, 1, SUFFIX)
    try:
        events.add_event(
            event_pb2.Event(
                wall_time=time.time(), step=step, summary=summary_pb2.Summary(value=[value])
            )
        )
        events.flush()
    finally:
        events.close()
