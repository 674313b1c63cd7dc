"""Batch normalization has the statistics of a new layer, or of one sample.

In training, a layer uses the mean and variance of the batch and moves its own statistics toward
them. If it is called with training=False, or if it has trainable=False, it uses its own statistics
instead. If these were never updated or loaded, they are 0 and 1, and the layer passes its input
through. If they move too slowly, only validation suffers. In a batch of one sample, every feature
equals its mean, so the layer outputs a constant.
"""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.configuration import Configuration, Layer, configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.paired_losses import paired_losses
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.training_progress import (
    FALLS,
    LAG_STEPS,
    LEARNS,
    learns,
)
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import counted, listed

FEWEST_SAMPLES: Final = 3
LEFT: Final = 0.1
CAUGHT_UP: Final = 0.99**LAG_STEPS
WORSE: Final = 2.0
MOSTLY: Final = 0.5
KIND: Final = "BatchNormalization"


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    model = configuration(history)
    layers = [layer for layer in model.layers if layer.kind == KIND]
    return strongest(
        _still_new(history, layers), _few_samples(history, model, layers),
        _too_slow(history, layers),
    )


def _too_slow(history: RunHistory, layers: list[Layer]) -> Match | None:
    """Moving averages that have hardly left their start, in a run that fits its training data."""
    slow = [
        layer for layer in layers
        if layer.momentum is not None and 0 < layer.momentum < 1 and layer.trainable is not False
        and layer.momentum ** (history.last_step + 1) > CAUGHT_UP
    ]
    paired = paired_losses(history)
    both, baseline = None if paired is None else paired.finite, baseline_loss(history)
    if not slow or both is None or len(both) < 2 or baseline is None or not learns(history):
        return None
    names, momentum = [layer.name for layer in slow], max(one.momentum or 0.0 for one in slow)
    left, last = momentum ** (history.last_step + 1), float(both.validation[-1])
    # Statistics that are mostly those of the data have no other effect than a poor validation.
    least = 0.0 if left > MOSTLY else LEARNS * baseline
    if last < WORSE * max(float(both.training[-1]), least):
        return None
    return Match(
        "warning", 0.85 if left > LEFT else 0.6,
        f"After {counted(history.last_step + 1, 'step')}, {percent(left)} of the moving statistics "
        f"of {listed(names)} (momentum={number(momentum, 6)}) still come from their initial "
        "values. "
        f"Training uses the batch, and its loss falls to {number(float(both.training[-1]))}. "
        f"Validation uses the moving statistics, and its loss is {number(last)}.",
        0, max(0, history.last_step), tuple(names),
        (
            Evidence("initial_statistics_left", left, LEFT if left > LEFT else None),
            Evidence("validation_over_training_loss", last / max(float(both.training[-1]), 1e-30),
                     WORSE, side="at least"),
        ),
        (
            f"Use momentum={_momentum_for(history.last_step + 1)} in {listed(names)}, or train "
            "longer.",
            "Validate with a model that has seen more batches before you judge it.",
        ),
        title="Batch normalization's moving statistics lag behind",
        explains=("overfitting", "unnormalized-input"),
    )


def _momentum_for(steps: int) -> str:
    """A usual momentum at which a hundredth of the start is left after a tenth of the steps."""
    return next(
        (text for text, value in (("0.99", 0.99), ("0.9", 0.9)) if value ** (steps / 10) < 0.01),
        "0.8",
    )


def _still_new(history: RunHistory, layers: list[Layer]) -> Match | None:
    """Layers that run in inference mode with the statistics they were created with."""
    still = [
        layer for layer in layers
        if layer.moving_statistics == "initial" and _runs(history, layer)
    ]
    if not still:
        return None
    names = [layer.name for layer in still]
    frozen = [layer.name for layer in still if layer.trainable is False]
    good = learns(history)
    reason = (
        "frozen (trainable=False)" if len(frozen) == len(still) else
        "called with training=False" if not frozen else
        "frozen (trainable=False) or called with training=False"
    )
    several = len(names) > 1
    return Match(
        "info" if good else "warning", 0.6 if good else 0.75,
        f"The moving statistics of {listed(names)} are still mean 0 and variance 1, as in a new "
        "layer, although the model has been trained. The "
        f"{'layers are' if several else 'layer is'} {reason} and "
        f"{'pass their inputs' if several else 'passes its input'} on without normalizing "
        f"{'them' if several else 'it'}.{FALLS if good else ''}",
        0, max(0, history.last_step), tuple(names),
        (Evidence("layer_count", float(len(names)),
                  detail="batch normalization layers with the statistics of a new layer"),),
        (
            f"Set trainable = True on {listed(frozen)}, or load trained weights before you freeze "
            f"{'them' if len(frozen) > 1 else 'it'}."
            if len(frozen) == len(still) else
            f"Call {listed(names)} without training=False, so that fit() decides.",
        ),
        title="Batch normalization is switched off",
        shows=("activation_std",),
    )


def _runs(history: RunHistory, layer: Layer) -> bool:
    """Whether the model calls `layer`, as far as the record shows: its gain gets a gradient, or
    another layer feeds it."""
    table = history.table("variables")
    if layer.trainable is not False and table is not None and table.has("gradient_norm"):
        rows = [i for i, row in enumerate(table.rows) if row.layer == layer.name]
        if rows:
            return bool((table.column("gradient_norm", "high")[:, rows] > 0).any())
    return bool(layer.inputs)


def _few_samples(
    history: RunHistory, model: Configuration, layers: list[Layer]
) -> Match | None:
    """Statistics over so few samples that hardly anything of the input is left."""
    size = model.batch_size
    flat = [
        layer for layer in layers
        if layer.shape is not None and len(layer.shape) == 2 and layer.trainable is not False
        and layer.moving_statistics != "initial"
    ]
    if not flat or size is None or size >= FEWEST_SAMPLES:
        return None
    names, good = [layer.name for layer in flat], learns(history)
    left = (
        "With one sample, every feature equals its own mean, so the output is a constant and "
        "nothing before it can learn" if size == 1 else
        "With two samples, every feature becomes +1 or -1, whatever its size"
    )
    return Match(
        "info" if good else "critical" if size == 1 else "warning",
        0.5 if good else 0.95 if size == 1 else 0.7,
        f"{listed(names)} {'compute' if len(names) > 1 else 'computes'} mean and variance over "
        f"batches of {counted(size, 'sample')}. {left}.{FALLS if good else ''}",
        0, max(0, history.last_step), tuple(names),
        (Evidence("batch_size", float(size), float(FEWEST_SAMPLES)),),
        (
            "Use a larger batch_size: 16 or more.",
            f"Or replace {listed(names)} with LayerNormalization, which does not depend on the "
            "batch.",
        ),
        ruins=size == 1 and not good,
        title="Batch normalization over too few samples",
        shows=("activation_std",),
    )


RULE = Rule(
    id="batch-norm-statistics",
    kind="cause",
    title="Batch normalization does not normalize",
    needs=("config",),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "initial_statistics_left", high=LEFT,
            source=(
                "momentum ** steps. A tenth of a mean of 0 and a variance of 1 still shifts a "
                "layer whose inputs have another scale (Ioffe 2017, arXiv:1702.03275)."
            ),
        ),
        Threshold(
            "initial_statistics_left", high=CAUGHT_UP, detail="(in a deep network)",
            source=(
                "This is left after 500 steps with a momentum of 0.99. The error of each layer's "
                "statistics adds to that of the layers before it."
            ),
        ),
        Threshold(
            "validation_over_training_loss", high=WORSE,
            source=(
                "The validation loss must also be no better than that of a model that ignores its "
                "input."
            ),
        ),
        Threshold(
            "initial_statistics_left", high=MOSTLY, detail="(validation better than chance)",
            source="The larger part of what validation uses is then older than the training.",
        ),
        Threshold(
            "batch_size", low=FEWEST_SAMPLES, detail="(for layers without a spatial axis)",
            source=(
                "Normalized over one sample, a feature is 0, and over two it is +1 or -1 (Ioffe & "
                "Szegedy 2015; Wu & He 2018 on small batches)."
            ),
        ),
    ),
    measures=(
        Measure(
            "initial_statistics_left", "part of the initial moving statistics that is left", (),
            "fraction",
        ),
        Measure(
            "validation_over_training_loss", "validation over training loss at the end",
            ("validation_loss",),
        ),
    ),
    shows=("activation_std",),
    explains=("loss-not-decreasing", "constant-output", "zero-gradient", "vanishing-gradient",
              "exploding-gradient", "frozen-variable", "underfitting", "dead-relu",
              "over-regularization", "insufficient-capacity", "learning-rate-too-high",
              "learning-rate-too-low", "wrong-labels", "too-deep-without-skip",
              "update-ratio-out-of-range"),
    experiment="ablation: without batch normalization",
    falsified_by=(
        "The loss falls no faster after the layers normalize.",
        "The statistics were loaded and happen to be 0 and 1.",
    ),
    false_alarms=("A network that needs no normalization trains well without it.",),
    references=(
        "Ioffe & Szegedy 2015, arXiv:1502.03167",
        "Wu & He 2018, Group Normalization, arXiv:1803.08494",
    ),
)
