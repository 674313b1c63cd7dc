"""Ablations name the change that helps, and leave alone what is no fault."""

from __future__ import annotations

import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import keras
import models
import numpy as np
import pytest
from keras import layers
from test_untouched import assert_same, begun

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import Settings, ablate
from tb_convergence.experiments.ablation import compared
from tb_convergence.experiments.changes import BY_ID
from tb_convergence.experiments.edits import Edits, drop_batch_norm, set_hidden_activation
from tb_convergence.experiments.initial import fresh_layers, redraw
from tb_convergence.experiments.intervals import paired
from tb_convergence.experiments.state import UnsupportedModelError
from tb_convergence.experiments.trials import Trial

SEEDS = (0, 1, 2)


def network(*, drop: float = 0.0, activation: str = "relu", bias: float = 0.0, decay: float = 0.0
            ) -> Any:
    keras.utils.set_random_seed(2)
    penalty = keras.regularizers.L2(decay) if decay else None
    model = keras.Sequential([
        keras.Input((models.FEATURES,)),
        layers.Dense(32, activation=activation, kernel_regularizer=penalty,
                     bias_initializer=keras.initializers.Constant(bias)),
        layers.Dropout(drop), layers.Dense(models.CLASSES, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    return model


def trials(loss: float) -> list[Trial]:
    return [Trial(seed, math.nan, loss, np.array([loss]), False, True) for seed in SEEDS]


@pytest.mark.parametrize(("loss", "expected"), [(0.1, "undecided"), (1.0, "refuted")])
def test_another_optimizer_that_helps_does_not_tell_what_was_wrong(
    loss: float, expected: str
) -> None:
    """Adam helps where the rate was too high, and where it was too low: not both can be true."""
    subject = SimpleNamespace(task=None, step=0, model=SimpleNamespace(name="m"))
    tried = [(BY_ID[id_], trials(loss)) for id_ in ("adam", "standardised-inputs")]
    found = compared(subject, trials(1.0), tried, [], 10, "finished", 100)  # type: ignore[arg-type]
    for cause in BY_ID["adam"].addresses:
        assert outcome(found, cause) == expected
    if expected == "undecided":
        assert outcome(found, "unnormalized-input") == "confirmed"


def outcome(found: Any, finding: str) -> str:
    return {one.finding: one.outcome for one in found.verdicts}.get(finding, "")


def test_a_fault_is_confirmed_and_its_healthy_twin_is_acquitted() -> None:
    x, y = models.data(0, 512)
    tried = ["without-penalties", "leaky-relu", "shuffled-labels"]
    sick = ablate(network(decay=3.0), x, y, changes=tried, steps=120, seeds=SEEDS)
    assert sick.best is not None, str(sick)
    assert sick.best.change.id == "without-penalties"
    assert outcome(sick, "over-regularization") == "confirmed"
    assert outcome(sick, "dead-relu") != "confirmed"

    healthy = ablate(network(decay=1e-5), x, y, changes=tried, steps=120, seeds=SEEDS)
    assert outcome(healthy, "over-regularization") == "refuted", str(healthy)
    assert outcome(healthy, "wrong-labels") == "refuted", "the control must be worse"
    assert "confirmed" not in {one.outcome for one in healthy.verdicts}


def test_dead_units_are_told_from_live_ones() -> None:
    x, y = models.data(0, 512)
    found = ablate(network(bias=-9.0), x, y, changes=["glorot-uniform", "without-dropout"],
                   steps=120, seeds=SEEDS)
    assert outcome(found, "dead-relu") == "confirmed", str(found)
    assert dict(found.left_out) == {"without-dropout": "the model has no dropout and no noise"}
    assert decode(encode(found.record)).verdicts == found.verdicts


@pytest.mark.parametrize("kind", ["Subclassed", "nested", "own_step"])
def test_an_ablation_leaves_no_trace(kind: str) -> None:
    model = begun(kind, "adam", True)
    found = ablate(model, *models.data(2), changes=["without-dropout", "without-batch-norm", "elu",
                                                    "he-normal", "standardised-inputs"],
                   steps=8, seeds=(0, 1))
    assert found.effects
    assert_same(model, kind, "adam", True)


def test_it_ends_early_with_what_there_is() -> None:
    found = ablate(network(), *models.data(), steps=40, seeds=(0,), settings=Settings(seconds=0))
    assert found.ended == "out of time"
    assert found.effects == ()
    with pytest.raises(ValueError, match="unknown change 'nonsense'"):
        ablate(network(), *models.data(), changes=["nonsense"])


def test_edits_are_taken_back() -> None:
    model = models.nested()
    x, _ = models.data()
    before = np.asarray(model(x))
    with Edits() as edits:
        assert drop_batch_norm(edits, model) == 1
        assert set_hidden_activation(edits, model, "elu") == 2
        assert not np.array_equal(np.asarray(model(x)), before)
    np.testing.assert_array_equal(np.asarray(model(x)), before)


def test_weights_that_were_loaded_are_not_drawn_anew() -> None:
    model = network()
    assert len(fresh_layers(model)) == 2
    trained = [weight + 0.05 for weight in model.layers[0].get_weights()]
    model.layers[0].set_weights(trained)
    last = model.layers[-1].get_weights()[0]
    redraw(model, 5)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], trained[0])
    assert not np.array_equal(model.layers[-1].get_weights()[0], last)


def test_intervals_are_students() -> None:
    found = paired([1.0, 2.0, 4.0], [0.0, 0.0, 0.0])
    # scipy.stats.t.interval(0.95, 2, 7 / 3, std([1, 2, 4]) / sqrt(3)), worked out by hand
    assert found.low == pytest.approx(7 / 3 - 4.303 * math.sqrt(7 / 3) / math.sqrt(3), abs=1e-3)
    assert not found.helps
    assert paired([math.nan], []).pairs == 0
    assert not paired([0.9, -math.inf], [0.5, 0.5]).helps


def build_for_processes() -> Any:
    return network(drop=0.3)


def test_processes_give_what_one_process_gives() -> None:
    x, y = models.data()
    options: dict[str, Any] = {"changes": ["without-dropout", "leaky-relu"], "steps": 24,
                               "seeds": (0, 1)}
    model = build_for_processes()
    here = ablate(model, x, y, **options)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        there = ablate(model, x, y, executor=pool, **options)
    assert there.values == here.values
    for ours, theirs in zip(here.effects, there.effects, strict=True):
        assert ours.change.id == theirs.change.id
        np.testing.assert_array_equal(
            [trial.losses for trial in ours.trials], [trial.losses for trial in theirs.trials])
    with ThreadPoolExecutor(1) as threads, pytest.raises(UnsupportedModelError, match="threads"):
        ablate(model, x, y, executor=threads, **options)
