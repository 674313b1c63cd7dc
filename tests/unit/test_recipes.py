"""The two lines that would record what is missing fit the run, run as they stand, and only then."""

from __future__ import annotations

import itertools
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
    HUGGING_FACE,
    KERAS,
    LIGHTNING,
    LOOP,
    STABLE_BASELINES,
    TORCH,
    YOLO,
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
    "Keras' scalars": (
        RunHistory("r", scalars={"loss": loss("batch")}, framework="keras"), (KERAS,)
    ),
    "epochs of anybody": (
        RunHistory("r", scalars={"loss": loss("epoch")}), (KERAS, LOOP, TORCH, ANYTHING)
    ),
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


class Parameter:
    """A parameter of a PyTorch module, as far as the recipes ask it."""

    def cpu(self) -> Any:
        return np.ones((2, 2), np.float32)

    def detach(self) -> Parameter:
        return self

    @property
    def grad(self) -> Parameter:
        return self


class Optimizer:
    """An optimizer of PyTorch that calls its hooks before a step."""

    def __init__(self) -> None:
        self.hooks: list[Any] = []

    def register_step_pre_hook(self, hook: Any) -> None:
        self.hooks.append(hook)

    def step(self) -> None:
        for hook in self.hooks:
            hook(self, (), {})


def module() -> SimpleNamespace:
    return SimpleNamespace(
        named_parameters=lambda: [("fc.weight", Parameter())], optimizer=Optimizer()
    )


@pytest.mark.parametrize(("framework", "expected"), [
    ("lightning", LIGHTNING), ("huggingface", HUGGING_FACE), ("yolo", YOLO),
    ("stable-baselines3", STABLE_BASELINES), ("tf1", GRAPH), ("keras", KERAS),
])
def test_each_framework_has_its_own(framework: Any, expected: Recipe) -> None:
    history = RunHistory("r", scalars={"loss": loss()}, framework=framework)
    assert diagnose_history(history).recipes == (expected,)


@pytest.mark.parametrize("name", ["lightning", "huggingface", "yolo", "stable-baselines3"])
def test_lines_of_frameworks_record_at_each_step(
    name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    net, hooks = module(), {}
    scope: dict[str, Any] = {
        "tb_convergence": tb_convergence, "itertools": itertools,
        "transformers": SimpleNamespace(TrainerCallback=object),
        "model": SimpleNamespace(policy=net, add_callback=hooks.__setitem__),
    }
    recipe = {"lightning": LIGHTNING, "huggingface": HUGGING_FACE, "yolo": YOLO,
              "stable-baselines3": STABLE_BASELINES}[name]
    exec("\n".join(recipe.lines), scope)
    folder = "logs/run1"
    for step in range(3):
        if name == "lightning":
            net.logger, net.global_step = SimpleNamespace(log_dir=folder), step
            scope["on_before_optimizer_step"](net, net.optimizer)
        elif name == "huggingface":
            state, args = SimpleNamespace(global_step=step), SimpleNamespace(logging_dir=folder)
            scope["Health"]().on_pre_optimizer_step(args, state, None, model=net)
        elif name == "yolo" and not step:
            hooks["on_train_start"](
                SimpleNamespace(optimizer=net.optimizer, save_dir=folder, model=net)
            )
        net.optimizer.step()
    tb_convergence.close_health(folder)
    (told,) = tb_convergence.diagnose(folder)
    assert told.last_step == 2
