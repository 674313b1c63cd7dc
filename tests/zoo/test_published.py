"""The adaptor for published cases, on a file of its own form made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.cache import Cache, recorder
from zoo.published import Cases
from zoo.task import Task

CASE: dict[str, Any] = {
    "id": "A-1", "data": "few", "layers": ["d:3:relu:uniform", "do:0.5", "d:1:linear:zeros:l2=0.1"],
    "loss": "mse", "optimizer": ["sgd", 0.1, 0.9], "batch_size": 4, "epochs": 7, "metric": "loss",
    "fault": ["nan_inf", "learning_rate_too_high", "symmetry", "wrong_init"],
    "fix": {"optimizer": ["adam", 0.01], "epochs": 2}, "fix_description": "Adam",
}


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    control = {**CASE, "id": "A-2", "fault": ["control_no_fault"], "fix": {}}
    absent = {**CASE, "id": "A-3", "data": "elsewhere"}
    strange = {**CASE, "id": "A-4", "fault": ["cosmic_rays"]}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [CASE, control, absent, strange]}))
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "few.npz", x=rng.normal(size=(8, 2)), y=rng.normal(size=(8, 1)))
    return Cases(path, tmp_path)


def test_faults_become_ids_once_and_symptoms_are_left_out(cases: Cases) -> None:
    assert cases.expected("published/A-1") == ("learning-rate-too-high", "poor-initialization")


def test_a_control_has_no_sick_version(cases: Cases) -> None:
    assert not cases.is_sick("published/A-2")
    assert cases.is_sick("published/A-1")
    assert cases.has_fix("published/A-1")


def test_what_is_missing_is_said(cases: Cases) -> None:
    assert cases.missing("published/A-1") == ""
    assert cases.missing("published/A-3").startswith("no elsewhere.npz in ")
    assert cases.missing("published/A-4") == "no id for the fault 'cosmic_rays'"


@pytest.mark.tensorflow
def test_layers_optimizer_and_fix_are_built_as_described(cases: Cases) -> None:
    sick, fixed = (cases.training("published/A-1", sick) for sick in (True, False))
    first, dropout, last = sick.model.layers
    assert (first.units, first.activation.__name__, dropout.rate, last.units) == (3, "relu", 0.5, 1)
    assert np.abs(first.kernel.numpy()).max() <= 0.05
    assert not last.kernel.numpy().any()
    assert float(last.kernel_regularizer.l2) == pytest.approx(0.1)
    assert type(sick.model.optimizer).__name__ == "SGD"
    assert float(sick.model.optimizer.momentum) == pytest.approx(0.9)
    assert sick.epochs == 7
    assert type(fixed.model.optimizer).__name__ == "Adam"
    assert fixed.epochs == 2
    assert sick.x.shape == (8, 2)


def test_a_recording_is_found_by_content_and_recorder(tmp_path: Path) -> None:
    task = Task("published/A-1", sick=True, seed=0)
    content = "first"
    cache = Cache(tmp_path, lambda _: content)
    path = cache.path(task)
    assert cache.facts(task) is None
    path.mkdir()
    (path / "facts.json").write_text('{"score": 1}')
    assert cache.facts(task) == {"score": 1, "recorder": recorder()}
    content = "second"
    assert cache.facts(task) is None
    content = "first"
    path.rename(path.with_name(path.name.rsplit("-", 1)[0] + "-000000000000"))
    assert cache.facts(task) is None, "another recorder wrote it"
    older = Cache(tmp_path, lambda _: content, any_recorder=True).facts(task)
    assert older == {"score": 1, "recorder": "000000000000"}
