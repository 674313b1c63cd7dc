"""Hyperparameters of TensorBoard's hparams plugin reach the table of runs, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from both_loaders import LOADERS, histories
from event_files import EventFile
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.hparams import plugin_data_pb2
from tensorboard.util import tensor_util

from tb_convergence.reading.hparams import MOST, MOST_CHARACTERS, TAG, parsed
from tb_convergence.serving.payloads import settings


def content(**hparams: Any) -> bytes:
    data = plugin_data_pb2.HParamsPluginData()
    for name, value in hparams.items():
        one = data.session_start_info.hparams[name]
        if isinstance(value, bool):
            one.bool_value = value
        elif isinstance(value, str):
            one.string_value = value
        else:
            one.number_value = value
    return bytes(data.SerializeToString())


def write(run: Path, form: str, packed: bytes) -> None:
    """A session as TensorFlow writes it, with a tensor of nothing, or as torch does, without."""
    value = summary_pb2.Summary.Value(tag=TAG)
    value.metadata.plugin_data.plugin_name = "hparams"
    value.metadata.plugin_data.content = packed
    if form == "tensorflow":
        value.tensor.CopyFrom(tensor_util.make_tensor_proto(0.0))
    with EventFile(run) as file:
        file.value(0, value)
        for step in range(20):
            file.scalar("loss", step, 1.0 - step / 100)


@pytest.mark.parametrize("form", ["tensorflow", "torch"])
@pytest.mark.parametrize("loader", LOADERS)
def test_hyperparameters_are_read(tmp_path: Path, loader: str, form: str) -> None:
    given = content(dropout=0.25, units=64, optimizer="adam", augment=True)
    write(tmp_path / "a", form, given)
    history = histories(tmp_path, loader)["a"]
    assert history.hparams == {
        "augment": "True", "dropout": "0.25", "optimizer": "adam", "units": "64"
    }
    assert settings(history)["hparams.dropout"] == "0.25"


def test_texts_and_numbers_are_bounded() -> None:
    found = parsed(content(**{f"p{at:03}": "x" * 500 for at in range(300)}))
    assert len(found) == MOST
    assert all(len(text) == MOST_CHARACTERS for text in found.values())
    assert parsed(content(a=1e300, b=float("nan"), c=-3.0)) == {
        "a": "1e+300", "b": "nan", "c": "-3"
    }
    assert parsed(b"") == {}


@given(st.binary(max_size=300))
def test_damaged_metadata_is_no_hyperparameters(damaged: bytes) -> None:
    assert isinstance(parsed(damaged), dict)
    assert isinstance(parsed(content(a=1) + damaged), dict)
