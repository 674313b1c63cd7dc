"""Records of experiments have the form that the server and the page rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.experiments import ExperimentRecord, encode
from tb_convergence.experiments.ablation import Ablation, Effect
from tb_convergence.experiments.changes import BY_ID
from tb_convergence.experiments.data_check import DataCheck, Issue
from tb_convergence.experiments.gradients import GradientCheck, LayerGradient
from tb_convergence.experiments.intervals import Difference
from tb_convergence.experiments.learning_rate import RangeTest
from tb_convergence.experiments.memorizing import Ladder, Rung
from tb_convergence.experiments.prescription import Prescription, Proof
from tb_convergence.experiments.range_curve import Curve
from tb_convergence.experiments.recording import holds_a_run
from tb_convergence.serving.experiments import SHAPES, shaped
from tests import experiment_records


def results() -> dict[str, ExperimentRecord]:
    """The record of one result of each kind, made by the product's own classes."""
    numbers = np.array([1e-3, 1e-2])
    curve = Curve(numbers, numbers, numbers, False)
    sweep = RangeTest("SGD", 0.1, (curve,), 0.01, (0.01, 0.02), 0.02)
    change = BY_ID["standardised-inputs"]
    difference = Difference(0.2, 0.1, 0.3, 3)
    proof = Proof((change,), (0.1,), (0.9,), 100, difference, True)
    found = (
        RangeTest("SGD", 0.1, (curve,), 0.01, (0.01, 0.02), 0.02, unclipped=sweep).record,
        Ladder((Rung(32, 1.0, 1.0, 40, True),), "accuracy").record,
        Ablation((), (Effect(change, (), difference),), (("elu", "why"),), None, 100).record,
        GradientCheck((LayerGradient("a", 1.0, 1.0, 0.0),), True).record,
        DataCheck((Issue("a", "info", "x", "odd", "look"),), 10, True, ("finite",)).record,
        Prescription((), (), (proof,), 0.1, None, 50, 100, 1.0, diff="-a\n+b\n").record,
    )
    return {record.kind: record for record in found}


def names(value: Any, inside: str = "") -> set[str]:
    """Every named part, with the way to it."""
    if isinstance(value, dict):
        return {f"{inside}.{key}" for key in value} | {
            name for key, item in value.items() for name in names(item, f"{inside}.{key}")
        }
    if isinstance(value, list):
        return {name for item in value for name in names(item, inside)}
    return set()


@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_written_is_what_is_served(kind: str) -> None:
    written = json.loads(encode(results()[kind]))["data"]
    # A sweep without clipping says that it has no sweep without clipping.
    dropped = names(written) - names(SHAPES[kind]) - {".unclipped.unclipped"}
    assert dropped == set(), "the server would drop it"
    assert names(shaped(written, SHAPES[kind])) >= names(written) - {".unclipped.unclipped"}


@pytest.mark.parametrize("kind", SHAPES)
def test_records_of_other_tests_have_the_form_of_real_ones(kind: str) -> None:
    (made,) = (one for one in experiment_records.every_kind() if one.kind == kind)
    real = json.loads(encode(results()[kind]))["data"]
    assert names(real) <= names(json.loads(encode(made))["data"])


def test_a_folder_that_holds_a_run_is_not_recorded_into(tmp_path: Path) -> None:
    assert not holds_a_run(tmp_path / "missing")
    assert not holds_a_run(tmp_path)
    (tmp_path / "events.out.tfevents.1.host.1.0").write_bytes(b"")
    assert holds_a_run(tmp_path)
    assert holds_a_run("gs://bucket/run")
