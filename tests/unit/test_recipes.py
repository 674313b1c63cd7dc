"""The two lines that would record what is missing fit the run, run as they stand, and only then."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import histories as draw
import numpy as np
import pytest

import tb_convergence
from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.recipes import (
    ANYTHING,
    GRAPH,
    KERAS,
    LOOP,
    TORCH,
    Recipe,
)
from tb_convergence.core.gaps import TagFamily
from tb_convergence.core.history import Axis, RunHistory, Series, Table
from tb_convergence.core.schema import Row

STEPS = np.arange(12)


def loss(axis: Axis = "step") -> Series:
    return Series("loss", STEPS, 1.0 / (STEPS + 1), STEPS.astype(float), "loss", axis)


def histograms(*names: str, axis: Axis = "step") -> Table:
    values = np.ones((12, len(names), 1), np.float32)
    rows = tuple(Row(name, name, "kernel") for name in names)
    return Table("variables", rows, ("gradient_norm",), STEPS, STEPS.astype(float), values,
                 values.copy(), "histograms", axis=axis)


def asked(*examples: str) -> TagFamily:
    return TagFamily("{v}", "either", None, len(examples), examples)


RUNS: dict[str, tuple[RunHistory, tuple[Recipe, ...]]] = {
    "nothing": (RunHistory("r"), (KERAS, LOOP, TORCH, ANYTHING)),
    "a loss": (RunHistory("r", scalars={"loss": loss()}), (KERAS, LOOP, TORCH, ANYTHING)),
    "Keras' scalars": (RunHistory("r", scalars={"loss": loss("batch")}), (KERAS,)),
    "Keras' weights": (
        RunHistory("r", {"variables": histograms("dense/kernel", axis="epoch")}), (KERAS,)
    ),
    "PyTorch": (RunHistory("r", {"variables": histograms("fc1.weight", "fc1.bias")}), (TORCH,)),
    "PyTorch, asked": (RunHistory("r", tag_families=(asked("fc1.weight"),)), (TORCH,)),
    "TensorFlow": (RunHistory("r", {"variables": histograms("dense/kernel")}), (LOOP, GRAPH)),
}


@pytest.mark.parametrize(("history", "expected"), RUNS.values(), ids=list(RUNS))
def test_the_recipe_is_of_the_framework(
    history: RunHistory, expected: tuple[Recipe, ...]
) -> None:
    assert diagnose_history(history).recipes == expected


def test_a_recorder_is_not_told_to_add_what_is_there() -> None:
    recorded = draw.healthy()
    assert not any("validation_loss" in item.needs
                   for item in diagnose_history(recorded).not_evaluated)
    assert diagnose_history(recorded).recipes == ()
    without = replace(recorded, scalars={}, tables={
        group: table for group, table in recorded.tables.items() if group != "epoch"
    })
    assert diagnose_history(without).recipes == (KERAS,)
    other = replace(without, config={"writer": "log_health"})
    assert diagnose_history(other).recipes == (ANYTHING,)


@pytest.mark.parametrize("recipe", [TORCH, ANYTHING], ids=lambda one: one.title)
def test_the_lines_record_what_they_say(
    recipe: Recipe, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ones = np.ones((4, 2), np.float32)
    parameter = SimpleNamespace(grad=ones, data=ones)
    scope: dict[str, Any] = {
        "tb_convergence": tb_convergence,
        "model": SimpleNamespace(named_parameters=lambda: [("fc.weight", parameter)]),
        "step": 0, "loss": np.float32(1.0), "gradients": {"fc.weight": ones},
        "variables": {"fc.weight": ones}, "updates": {"fc.weight": ones},
        "activations": {"fc": ones}, "x": ones, "y": ones, "predictions": ones,
    }
    exec("\n".join(recipe.lines), scope)
    tb_convergence.close_health("logs/run1")
    (run,) = tb_convergence.diagnose("logs")
    assert run.last_step == 0
    # One step is too few to judge; that gradients were recorded is beyond doubt.
    needs = {item.id: item.needs for item in run.not_evaluated}
    assert needs["exploding-gradient"] == ("5 records of gradient_norm (has 1)",)


def test_names_in_the_lines_are_there() -> None:
    for recipe in (KERAS, LOOP, GRAPH):
        text = "\n".join(recipe.lines)
        compile(text, recipe.title, "exec")
    assert hasattr(tb_convergence.ConvergenceRecorder, "apply")
