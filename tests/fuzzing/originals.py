"""The sound event files that are damaged: one for each kind of writer whose logs are read.

They are made by code, so no file of theirs is kept, and they are the same on every machine.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2

from tb_convergence.core.statistics import EXPONENTS, columns
from tb_convergence.reading.crc32c import masked_crc32c
from tests.reading.event_files import EventFile
from tests.serving.event_logs import write
from tests.serving.samples import edited, trained

KINDS: Final = ("recorder", "sick", "keras", "torch")

_LENGTHS: Final = struct.Struct("<QI")

CONFIG: Final[dict[str, Any]] = {
    "schema": 1,
    "writer": "tb_convergence",
    "model": {
        "name": "sequential",
        "class": "Sequential",
        "layers": [
            {
                "name": "dense_0", "class": "Dense", "activation": "relu", "trainable": True,
                "use_bias": True, "parameters": 4160, "output_shape": [None, 64],
                "inputs": ["input_layer"], "units": 64,
                "kernel_initializer": {"class": "GlorotUniform", "config": {}},
                "kernel_regularizer": {"class": "L2", "config": {"l2": 0.01}},
            },
            {"name": "drop", "class": "Dropout", "rate": 0.5, "inputs": ["dense_0"],
             "output_shape": [None, 64]},
            {
                "name": "dense_1", "class": "Dense", "activation": "softmax", "parameters": 650,
                "output_shape": [None, 10], "inputs": ["drop"], "units": 10,
                "kernel_initializer": {"class": "GlorotUniform", "config": {}},
            },
        ],
        "parameters": 4810,
    },
    "optimizer": {
        "class": "Adam", "clipnorm": 1.0, "global_clipnorm": None, "clipvalue": None,
        "loss_scale_factor": None, "momentum": 0.9, "epsilon": 1e-07, "learning_rate": 0.001,
    },
    "loss": {"name": "sparse_categorical_crossentropy", "from_logits": False},
    "steps_per_epoch": 43,
    "epochs": 6,
    "batch_size": 32,
}
"""As the recorder writes it."""


def frame(payload: bytes) -> bytes:
    """A record of an event file, with checksums that hold."""
    length = struct.pack("<Q", len(payload))
    return b"".join((
        length, struct.pack("<I", masked_crc32c(length)),
        payload, struct.pack("<I", masked_crc32c(payload)),
    ))


def payloads(content: bytes) -> list[bytes]:
    """The payload of each record of a sound file."""
    found, begin = [], 0
    while begin < len(content):
        length, _ = _LENGTHS.unpack_from(content, begin)
        begin += _LENGTHS.size
        found.append(content[begin : begin + length])
        begin += length + 4
    return found


@dataclass(frozen=True)
class Original:
    """One sound file.

    Attributes:
        kind: which writer's.
        frames: its records as they stand in the file, checksums and all.
        events: their payloads, by the same index; the first is the file's version.
    """

    kind: str
    frames: tuple[bytes, ...]
    events: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        """The file."""
        return b"".join(self.frames)


@cache
def original(kind: str) -> Original:
    """The sound file of one of `KINDS`."""
    with tempfile.TemporaryDirectory() as folder:
        _WRITERS[kind](Path(folder))
        (file,) = (path for path in Path(folder).rglob("*tfevents*"))
        found = payloads(file.read_bytes())
    return Original(kind, tuple(map(frame, found)), tuple(found))


def _recorder(folder: Path) -> None:
    history = trained("r", layers=2, records=24)
    write(folder, replace(history, config=CONFIG))


def _sick(folder: Path) -> None:
    """Records full of NaN and infinities, which are data; with the shares of the gradients."""
    history = edited(trained("r", layers=3, records=24, seed=7), "variables", 12, {
        "gradient_norm": np.nan, "gradient_nan_fraction": 1.0, "update_norm": np.inf,
    })
    history = edited(history, "run", 13, {"loss": np.nan, "gradient_global_norm": np.inf})
    variables = history.tables["variables"]
    falling = np.linspace(1.0, 0.0, len(EXPONENTS))[None, None, :]
    shares = np.broadcast_to(falling, (*variables.low.shape[:2], len(EXPONENTS))).astype("f4")
    magnitudes = replace(variables, group="magnitudes", columns=columns("magnitudes"), low=shares,
                         high=shares)
    tables = {**history.tables, "magnitudes": magnitudes}
    write(folder, replace(history, tables=tables, config=CONFIG))


def _keras(folder: Path) -> None:
    rng = np.random.default_rng(3)
    with EventFile(folder / "r") as file:
        for epoch in range(12):
            for layer in ("dense", "dense_1"):
                for part in ("kernel", "bias"):
                    counts, edges = np.histogram(rng.normal(size=50), bins=8)
                    rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
                    file.tensor(f"{layer}/{part}/histogram", epoch, rows, plugin="histograms",
                                data_class=summary_pb2.DATA_CLASS_TENSOR)
            file.scalar("epoch_loss", epoch, 2.0 / (epoch + 1))
            file.scalar("epoch_learning_rate", epoch, 0.01)


def _torch(folder: Path) -> None:
    rng = np.random.default_rng(4)
    with EventFile(folder / "r") as file:
        for step in range(0, 240, 20):
            file.simple("loss/train", step, 3.0 * 0.99**step)
            file.simple("lr", step, 0.1)
            for name in ("encoder.0.weight", "encoder.0.bias", "head.weight"):
                for tag in (f"gradients/{name}", f"weights/{name}"):
                    file.value(step, summary_pb2.Summary.Value(
                        tag=tag, histo=_histogram(rng.normal(size=40))))


def _histogram(values: Any) -> summary_pb2.HistogramProto:
    counts, edges = np.histogram(values, bins=12)
    return summary_pb2.HistogramProto(
        min=values.min(), max=values.max(), num=values.size, sum=values.sum(),
        sum_squares=float((values**2).sum()), bucket_limit=edges.tolist(),
        bucket=[0, *counts.tolist()],
    )


_WRITERS: Final = {"recorder": _recorder, "sick": _sick, "keras": _keras, "torch": _torch}


def event_of(payload: bytes) -> event_pb2.Event:
    """The event that a payload is."""
    return event_pb2.Event.FromString(payload)
