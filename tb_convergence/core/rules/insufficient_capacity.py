"""The model has learned what it can, and that is not enough.

Records cannot distinguish a model that is too small from uninformative features or noisy targets:
each of them leads to a plateau with healthy gradients and updates. The rule therefore reports a
plateau only if it is close to the baseline loss. The finding is then only informational, and names
the experiment that decides. The rule also looks for signs in the configuration: no hidden layer, or
one with fewer units than classes.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import step_size
from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    Configuration,
    Layer,
    configuration,
)
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.step_size import BEGUN, path_length
from tb_convergence.core.diagnosis.table_columns import median_over_time, weights_column
from tb_convergence.core.diagnosis.training_progress import LITTLE
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import counted

IN_RANGE: Final = (step_size.SMALL, step_size.LARGE)
"""Healthy update ratios, as in update-ratio-out-of-range."""
MUCH: Final = 0.2
STEPS: Final = 200
CLASSES: Final = 3
_ROOMY: Final = 16
"""Units that a widened layer gets at least; memorizing ten samples takes fewer."""
OWN_SIGNS: Final = frozenset({"loss-not-decreasing", "underfitting", "loss-oscillation"})
"""Signs of a model that is too small; any other finding would explain the plateau."""
GRADIENT_SIGNS: Final = frozenset({"vanishing-gradient", "exploding-gradient", "zero-gradient"})
"""Even at severity "info", these findings mean that the gradients are not healthy."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    trajectory, table = loss_trajectory(history), history.table("variables")
    narrow = _narrow(configuration(history))
    # Other unusual values of a model that cannot do better are a consequence.
    own = OWN_SIGNS | {"saturated-activation", "update-ratio-out-of-range"} if narrow else OWN_SIGNS
    others = {id_ for id_, match in signs.items() if match.severity != "info"} - own
    if trajectory is None or table is None or trajectory.observed < STEPS or others:
        return None
    baseline = baseline_loss(history)
    level = baseline if baseline is not None else abs(trajectory.start)
    share = trajectory.end / max(level, 1e-30)
    least = MUCH if narrow else LITTLE
    if not trajectory.settled or not least < share < 1.05:
        return None
    path = path_length(history)
    if path is not None and path < BEGUN:
        return None
    ratio = median_over_time(weights_column(table, "update_ratio"))
    if not np.isfinite(ratio).any():
        return None
    slowest, fastest = float(np.nanmin(ratio)), float(np.nanmax(ratio))
    in_order = IN_RANGE[0] < slowest and fastest < IN_RANGE[1] and not GRADIENT_SIGNS & set(signs)
    if not in_order and not (narrow and IN_RANGE[0] < fastest < 1.0):
        return None
    order = ", while gradients and updates are healthy" if in_order else ""
    share_of, reference = "loss_over_baseline", "the loss of a model that ignores its input"
    if baseline is None:
        share_of, reference = "loss_over_start", "its start"
    what = f" {narrow[1]}" if narrow else ""
    one_number = narrow is not None and _one_number_for_classes(history, narrow[0])
    return Match(
        "warning" if one_number else "info",
        0.75 if one_number else 0.45 if narrow else 0.25,
        f"The loss has plateaued at {number(trajectory.end, 4)}, {percent(share)} of "
        f"{reference}{order}.{what}",
        trajectory.rest_step, int(trajectory.steps[-1]), (narrow[0].name,) if narrow else (),
        (
            Evidence(share_of, share, least, int(trajectory.steps[-1]),
                     side="more than"),
            Evidence("fastest_update_ratio", fastest, 1.0 if narrow else IN_RANGE[1],
                     side="less than", detail="layer"),
            *((Evidence("slowest_update_ratio", slowest, IN_RANGE[0],
                        side="more than"),) if in_order else ()),
        ),
        _wider(configuration(history), narrow[0]) if narrow else (),
    )


def _one_number_for_classes(history: RunHistory, layer: Layer) -> bool:
    """Whether three or more classes have to be told apart by the single output of `layer`."""
    model = configuration(history)
    classes = model.output.units if model.output is not None else None
    return (
        layer is not model.output and layer.units == 1 and (classes or 0) >= CLASSES
        and model.loss in CROSS_ENTROPIES
    )


def _wider(model: Configuration, layer: Layer) -> tuple[str, ...]:
    """The change that removes the bottleneck, and the experiment that shows whether it is one."""
    if layer is model.output:
        change = f"Add a hidden layer before {layer.name}: Dense(32, activation='relu')."
    else:
        units = max(_ROOMY, model.output.units or 1 if model.output is not None else 1)
        change = f"Give {layer.name} more units: {units} instead of {layer.units}."
    return (change, *RULE.advice)


def _narrow(model: Configuration) -> tuple[Layer, str] | None:
    """A layer that limits what the model can represent, and why; None if there is none."""
    output = model.output
    dense = [layer for layer in model.layers if layer.kind == "Dense"]
    if output is None or not dense or any(layer.inputs is None for layer in model.layers):
        return None
    kernels = [layer for layer in model.layers if layer.parameters]
    if len(kernels) == 1 and kernels[0] is dense[0]:
        return dense[0], (
            f"The model is a single layer ({dense[0].name}) and can only learn linear relations."
        )
    classes = output.units or 1
    hidden = [layer for layer in dense if layer is not output and _only_way(model, layer)]
    for layer in hidden:
        if layer.units is not None and layer.units < min(classes, 10):
            return layer, f"{layer.name} has {counted(layer.units, 'unit')} for {classes} outputs."
    small = min((layer.units for layer in hidden if layer.units), default=0)
    if 0 < small <= 3:
        layer = next(layer for layer in hidden if layer.units == small)
        return layer, f"{layer.name} has only {counted(small, 'unit')}."
    return None


def _only_way(model: Configuration, layer: Layer) -> bool:
    """Whether every way from an input to the output leads through `layer`.

    The scores of an attention or a gate are few on purpose: what they weigh goes past them.
    """
    named = {one.name: one for one in model.layers}
    reached, ahead = {layer.name}, [end.name for end in model.ends if end is not layer]
    while ahead:
        name = ahead.pop()
        if name in reached:
            continue
        reached.add(name)
        one = named.get(name)
        if one is None or not one.inputs:
            return False
        ahead.extend(one.inputs)
    return True


RULE = Rule(
    id="insufficient-capacity",
    kind="cause",
    title="The model may be too small",
    needs=("update_ratio", "loss"),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_over_baseline", high=MUCH, detail="(with a narrow layer)",
            source=(
                "A narrow layer makes a lack of capacity more likely, so a lower plateau counts as "
                "well."
            ),
        ),
        Threshold(
            "target_classes", high=CLASSES, detail="(behind a layer of one unit, for a warning)",
            source=(
                "A single unit puts the classes in an order on a line. With three or more classes, "
                "some then lie between others."
            ),
        ),
        Threshold(
            "steps", high=STEPS,
            source="A plateau after fewer steps may only be a slow start.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "loss_over_start", "loss at the end over its start", ("loss",), "fraction",
            limit="start",
        ),
    ),
    shows=("update_ratio",),
    explains=("underfitting", "loss-not-decreasing", "saturated-activation"),
    # The plateau is the first sign, but the model was as small from the first step on.
    restates=("underfitting", "loss-not-decreasing", "saturated-activation"),
    excluded_by=("non-finite-values", "wrong-labels"),
    advice=(
        "Run a small-sample fit to decide: train on ten samples until the loss is nearly zero. If "
        "that fails, add units or a hidden layer. If it works, look at the data and the features.",
        "Then double the width until the training loss stops falling.",
    ),
    experiment="small-sample fit",
    falsified_by=(
        "Ten samples can be fitted: the model is large enough, but the features lack information.",
        "A model twice as wide plateaus at the same loss.",
    ),
    false_alarms=("Noise in the targets leaves a loss that no model can beat.",),
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, 11.5",
        "Karpathy 2019, A Recipe for Training Neural Networks",
    ),
)
