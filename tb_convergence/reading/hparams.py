"""Hyperparameters that TensorBoard's hparams plugin was told: one record at the start of a session.

`tensorboard.plugins.hparams.api.KerasCallback`, `hp.hparams(...)` and torch's `add_hparams` write
it into the metadata of a summary; the summary itself holds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError
from tensorboard.plugins.hparams import plugin_data_pb2

from tb_convergence.reading.tensorboard.data_source import DataSource

PLUGIN: Final = "hparams"
TAG: Final = "_hparams_/session_start_info"
MOST: Final = 40
MOST_CHARACTERS: Final = 80
MAX_BYTES: Final = 2**18


def read_hparams(source: DataSource, runs: Iterable[str]) -> dict[str, str]:
    """Hyperparameters of TensorBoard's runs `runs`, which are one training: name -> text.

    At most 40, texts of at most 80 characters. Empty where none were logged or they cannot be read:
    they are shown beside the runs, and nothing follows from them.
    """
    found: dict[str, str] = {}
    for run in runs:
        series = source.list_tensors(run, PLUGIN).get(TAG)
        content = b"" if series is None else series.plugin_content
        if 0 < len(content) <= MAX_BYTES:
            found.update(parsed(content))
    return dict(list(found.items())[:MOST])


def parsed(content: bytes) -> dict[str, str]:
    """Hyperparameters in the metadata of a summary; empty for bytes that are none."""
    data = plugin_data_pb2.HParamsPluginData()
    try:
        data.ParseFromString(content)
    except DecodeError:
        return {}
    given = sorted(data.session_start_info.hparams.items())[:MOST]
    return {name[:MOST_CHARACTERS]: _text(value) for name, value in given}


def _text(value: Any) -> str:
    """A `google.protobuf.Value` as text in the form of code: 3, not 3.0."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = float(value.number_value)
        whole = math.isfinite(number) and number.is_integer() and abs(number) < 2**53
        return str(int(number)) if whole else f"{number:g}"
    if kind == "bool_value":
        return str(bool(value.bool_value))
    return str(value.string_value)[:MOST_CHARACTERS] if kind == "string_value" else ""
