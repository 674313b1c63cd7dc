"""Penalties or dropout outweigh the data.

The regularization loss is computed from the recorded norms. It is a fault if it is most of the loss
*after* training had time to shrink it. Dropout is a fault if it removes half of a layer that is
only a few units wide.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration, Layer, configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rate_schedule import rates
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.table_columns import layers_of
from tb_convergence.core.diagnosis.training_noise import (
    MILDER,
    RATE,
    SAME_SCALE,
    STUCK,
    only_in_training,
    random_changes,
)
from tb_convergence.core.diagnosis.training_progress import SOLVED, USELESS, learns
from tb_convergence.core.history import NoStatisticError, RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.regularization import regularization_loss
from tb_convergence.core.text.numbers import number, percent, percent_or_number
from tb_convergence.core.text.phrases import counted, listed

SHARE: Final = 0.5
STRONG: Final = 1e-2
SHRUNK: Final = 0.7
FORGETS: Final = 1e-3
VANISHED: Final = 0.1
RECORDS: Final = 5
ADDED: Final = 0.25
NARROW: Final = 32
LEFT: Final = 10.0
CUT: Final = 0.3

_BESIDE: Final = 0.1
"""Maximum part of an added term in the first loss, so that the data dominates."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    model = configuration(history)
    found = strongest(
        _by_regularization_loss(history, model),
        _by_added_loss(history, model),
        _by_strength(history, model),
        _by_decay(history, model),
        _by_shrinking(history),
        _by_constraint(history, model),
        _by_dropout(history, model, signs),
        only_in_training(history, model),
        random_changes(history, model, signs),
    )
    if found is None and not history.config:
        raise NoStatisticError("config", "run")  # norms alone acquit nothing
    return found


def _by_regularization_loss(history: RunHistory, model: Configuration) -> Match | None:
    table, loss = history.table("variables"), history.series("loss")
    if table is None or loss is None or not any(layer.penalty > 0 for layer in model.layers):
        return None
    if not table.has("variable_norm"):
        return None
    _, at_table, at_loss = np.intersect1d(table.steps, loss.steps, return_indices=True)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        added = regularization_loss(table, model)[at_table]
        share = added / np.asarray(loss.values, np.float64)[at_loss]
    share = share[np.isfinite(share)]
    if len(share) < 5:
        return None
    # Half the loss is decisive only if a strength is far beyond the usual 1e-5 to 1e-3.
    first, last = float(share[0]), float(np.median(share[-5:]))
    layers = [layer for layer in model.layers if layer.penalty > 0]
    heaviest = max(layers, key=lambda layer: layer.penalty)
    kind = "L2" if heaviest.l2 else "L1"
    if min(first, last) < SHARE:
        return None
    return Match(
        "critical" if last > 0.8 else "warning",
        min(0.95, 0.6 + 0.3 * last),
        f"The {kind} penalty is {percent(first)} of the loss at the start and {percent(last)} at "
        "the end: the optimizer shrinks the weights instead of fitting the data.",
        int(table.steps[0]), int(table.steps[-1]), tuple(layer.name for layer in layers),
        (
            Evidence("regularization_share", last, SHARE, int(table.steps[-1])),
            Evidence("regularization_share", first, SHARE, int(table.steps[0])),
            Evidence("regularization_strength", heaviest.penalty, None, None, heaviest.name,
                     detail=kind),
        ),
        (
            f"Remove the penalty ({kind.lower()}={number(heaviest.penalty, 6)} on {heaviest.name}) "
            "and fit the training data first. Then add it back step by step, at 1e-5 to 1e-3.",
        ),
        title=f"{kind} penalty outweighs the data",
    )


def _by_added_loss(history: RunHistory, model: Configuration) -> Match | None:
    """Training minimized the `add_loss` term (usually a KL term) first, and lost the fit to the
    data.

    At the end the term is nearly gone. The outputs no longer depend on the input, which the term
    does not penalize, and the data loss is that of a model that ignores its input.
    """
    added, fitted = history.series("regularization_loss"), history.series("data_loss")
    loss, baseline = history.series("loss"), baseline_loss(history)
    if added is None or fitted is None or loss is None or baseline is None or baseline <= 0:
        return None
    if any(layer.penalty > 0 for layer in model.layers) or len(loss) < 2 * RECORDS:
        return None  # weight penalties have a form of their own
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.asarray(added.values, np.float64) / np.asarray(loss.values, np.float64)
    first = share[:RECORDS][np.isfinite(share[:RECORDS])]
    last = np.asarray(fitted.values[-RECORDS:], np.float64)
    if not len(first) or not np.isfinite(last).all():
        return None
    begun, data = float(np.median(first)), float(np.median(last)) / baseline
    if begun < ADDED or data < USELESS:
        return None
    return Match(
        "critical", 0.8,
        f"The add_loss term was {percent(begun)} of the loss at the start. Training removed it, "
        f"and the data loss ends at {percent(data)} of the loss of a model that ignores its input: "
        "the outputs no longer depend on the input (in a VAE, this is posterior collapse).",
        int(loss.steps[0]), int(loss.steps[-1]), (),
        (
            Evidence("added_loss_share", begun, ADDED, int(loss.steps[0]),
                     side="at least"),
            Evidence("data_loss_over_baseline", data, USELESS,
                     int(loss.steps[-1]), side="at least"),
        ),
        (
            f"Multiply the added term by about {number(_lighter(begun), 1)}, so that it is a tenth "
            "of the first loss. Or raise its weight from 0 to that value over the first epochs (KL "
            "annealing).",
            "Check how each term is averaged: a KL term summed over the batch or over units "
            "outweighs a reconstruction loss averaged over pixels.",
        ),
        title="The added loss outweighs the data",
    )


def _lighter(share: float) -> float:
    """Factor that makes a term of a `share` of the loss, in (0, 1], a tenth of it.

    >>> round(_lighter(0.5), 3)
    0.111
    """
    rest = max(1 - share, 1e-6)
    return _BESIDE / (1 - _BESIDE) * rest / share


def _by_strength(history: RunHistory, model: Configuration) -> Match | None:
    """A penalty ten times the usual strength dominated the loss while it shrank the weights.

    At the end it is a smaller part of the loss, because little is left to shrink.
    """
    table, trajectory = history.table("variables"), loss_trajectory(history)
    strong = [layer for layer in model.layers if layer.penalty >= STRONG]
    if table is None or trajectory is None or not strong or learns(history):
        return None
    if not table.has("variable_norm"):
        return None
    norms = {
        table.rows[row].layer: table.column("variable_norm")[:, row].astype(np.float64)
        for row in table.rows_of("kernel") if len(table.steps) >= RECORDS
    }
    kept = {
        layer.name: float(norms[layer.name][-1] / norms[layer.name][0])
        for layer in strong
        if layer.name in norms and norms[layer.name][0] > 0 and np.isfinite(norms[layer.name][-1])
    }
    if not kept or min(kept.values()) > SHRUNK:
        return None
    layer = min((item for item in strong if item.name in kept), key=lambda item: kept[item.name])
    kind = "l2" if layer.l2 else "l1"
    others = [item for item in strong if item.name in kept and item is not layer]
    names = [layer.name, *(item.name for item in others)]
    return Match(
        "warning", 0.8,
        f"{_penalized(names, kind, [layer, *others])}; 1e-5 to 1e-3 is usual. "
        f"{'The weights of ' + layer.name if others else 'Its weights'} shrank "
        f"{'most, ' if others else ''}to {percent_or_number(kept[layer.name])} of their first "
        "size, and the run learns little.",
        int(table.steps[0]), int(table.steps[-1]), tuple(names),
        (
            Evidence("regularization_strength", layer.penalty, STRONG, None, layer.name,
                     side="at least", detail=kind.upper()),
            Evidence("weight_shrinkage", kept[layer.name], SHRUNK,
                     int(table.steps[-1]), layer.name),
        ),
        (
            f"Remove the penalty ({kind}={number(layer.penalty, 6)} on {listed(names)}) and fit "
            "the training data first. Then add it back step by step, at 1e-5 to 1e-3.",
        ),
        title=f"{kind.upper()} penalty shrinks the weights",
    )


def _by_decay(history: RunHistory, model: Configuration) -> Match | None:
    """A weight decay of the optimizer (AdamW) that forgets what the weights have learned.

    Each step takes rate x decay off a weight. It is in no loss, and shows only in the weights.
    """
    table, known = history.table("variables"), rates(history)
    decay = model.weight_decay
    if table is None or known is None or not decay or loss_trajectory(history) is None:
        return None
    if learns(history):
        return None
    if len(table.steps) < RECORDS or not table.has("variable_norm"):
        return None
    per_step = float(np.median(known.values)) * decay
    rows = table.rows_of("kernel")
    norm = table.column("variable_norm")[:, rows].astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.where(norm[0] > 0, norm[-1] / norm[0], np.nan)
    if per_step < FORGETS or not np.isfinite(kept).any() or np.nanmin(kept) > SHRUNK:
        return None
    worst = int(np.nanargmin(kept))
    layer = table.rows[rows[worst]].layer
    return Match(
        "warning", 0.85,
        f"weight_decay={number(decay, 6)} of {model.optimizer} takes {percent(per_step)} off every "
        f"weight at each step, so the model forgets faster than it learns. The weights of {layer} "
        f"shrank to {percent_or_number(float(kept[worst]))} of their first size.",
        int(table.steps[0]), int(table.steps[-1]), (layer,),
        (
            Evidence("weight_decay_per_step", per_step, FORGETS, side="at least"),
            Evidence("weight_shrinkage", float(kept[worst]), SHRUNK, int(table.steps[-1]), layer),
        ),
        (
            f"Lower the decay: {model.optimizer}(weight_decay=0.004) instead of weight_decay="
            f"{number(decay, 6)}. It is not the l2 of a layer: 0.004 to 0.1 is usual.",
        ),
        title="Weight decay outweighs the data",
        explains=("wrong-labels", "insufficient-capacity", "learning-rate-too-low"),
    )


def _by_shrinking(history: RunHistory) -> Match | None:
    """All kernels shrink to nothing in a log that does not tell how it was trained.

    The loss of the data does not do that: its gradient vanishes with the weights. A penalty or the
    optimizer's weight decay does, whose pull is all that is left then.
    """
    table = history.table("variables")
    if table is None or not table.has("variable_norm") or len(table.steps) < RECORDS:
        return None
    rows = table.rows_of("kernel")
    if len(rows) < 2 or history.config or loss_trajectory(history) is None or learns(history):
        return None
    first = table.column("variable_norm", "low")[0, rows].astype(np.float64)
    last = table.column("variable_norm", "high")[-1, rows].astype(np.float64)
    if not (np.isfinite(first) & np.isfinite(last) & (first > 0)).all():
        return None
    kept = last / first
    slowest = int(np.argmax(kept))
    if kept[slowest] > VANISHED:
        return None
    layer, names = table.rows[rows[slowest]].layer, layers_of(table, rows)
    return Match(
        "critical", 0.8,
        f"The weights of all {len(rows)} kernels shrank, to at most "
        f"{percent_or_number(float(kept[slowest]))} of their first size ({layer}), and the run "
        "does not learn. A weight decay or a penalty pulls harder than the data.",
        int(table.steps[0]), int(table.steps[-1]), names,
        (Evidence("weight_shrinkage", float(kept[slowest]), VANISHED, int(table.steps[-1]), layer),
         ),
        (
            "Set the optimizer's weight_decay and all penalties to 0 and fit the training data "
            "first. Then add a decay of 1e-5 to 1e-3 back. (AdamW multiplies its decay by the "
            "learning rate: there, 1e-2 is usual.)",
        ),
        title="The weights decay to nothing",
    )


def _by_constraint(history: RunHistory, model: Configuration) -> Match | None:
    """A constraint on the norm of a unit's weights that cuts most of the initial weights off."""
    table = history.table("variables")
    bound = [layer for layer in model.layers if layer.constraint_limit is not None]
    if table is None or not bound or not table.has("variable_norm") or learns(history):
        return None
    if len(table.steps) < RECORDS or int(table.steps[0]) != 0:
        return None
    norm = table.column("variable_norm").astype(np.float64)
    kept = {
        table.rows[row].layer: float(norm[1, row] / norm[0, row])
        for row in table.rows_of("kernel") if norm[0, row] > 0 and np.isfinite(norm[1, row])
    }
    cut = [layer for layer in bound if kept.get(layer.name, 1.0) < CUT]
    if not cut:
        return None
    layer = min(cut, key=lambda one: kept[one.name])
    limit, names = layer.constraint_limit or 0.0, [one.name for one in cut]
    return Match(
        "critical", 0.9,
        f"kernel_constraint={layer.constraint}({number(limit, 6)}) in {listed(names)} cut the "
        f"weights of {layer.name} to {percent_or_number(kept[layer.name])} of their first size at "
        "the first step and keeps them there, so each layer passes on hardly any signal.",
        0, int(table.steps[-1]), tuple(names),
        (
            Evidence("weights_after_constraint", kept[layer.name], CUT, int(table.steps[1]),
                     layer.name),
            Evidence("constraint_limit", limit, None, None, layer.name),
        ),
        (
            f"Use {layer.constraint}(3) instead of {layer.constraint}({number(limit, 6)}) in "
            f"{listed(names)}, or no constraint: 2 to 4 is usual.",
        ),
        title="A weight constraint is too tight",
        explains=("wrong-labels", "insufficient-capacity", "learning-rate-too-high",
                  "poor-initialization", "too-few-steps"),
    )


def _penalized(names: list[str], kind: str, layers: list[Layer]) -> str:
    """Which layers are penalized, and how strongly; of several strengths, that of the first."""
    unlike = len({(item.l1, item.l2) for item in layers}) > 1
    return (
        f"{listed(names)} {'are' if len(names) > 1 else 'is'} penalized with "
        f"{kind}={number(layers[0].penalty, 6)}{' or similar' if unlike else ''}"
    )


def _by_dropout(history: RunHistory, model: Configuration, signs: Signs) -> Match | None:
    heavy = [
        layer for layer in model.layers
        if "Dropout" in layer.kind  # that of a recurrent layer is of its inputs, not of its units
        and layer.rate is not None and layer.rate >= RATE and layer.units is not None
        and (layer.units < NARROW or layer.units * (1 - layer.rate) < LEFT)
    ]
    if not heavy:
        return None
    heavy.sort(key=_left)
    first, *others = heavy
    text = (
        f"{first.name} drops {percent(first.rate or 0)} of {first.units} units, which leaves about "
        f"{number(_left(first))}"
    )
    text += "".join(
        f"; {item.name} leaves about {number(_left(item))} of {item.units}" for item in others[:2]
    )
    if others[2:]:
        text += f"; likewise in {counted(len(others) - 2, 'more layer')}"
    narrow = all((item.units or 0) < NARROW for item in heavy)
    return Match(
        "info" if learns(history) else "warning",
        min(0.9, 0.5 + 0.15 * len(heavy)),
        text + ".",
        0, max(0, history.last_step), tuple(item.name for item in heavy),
        (
            *(Evidence("dropout_units", float(item.units or 0), float(NARROW), None,
                       item.name) if (item.units or 0) < NARROW else
              Evidence("dropout_units_left", _left(item), LEFT, None, item.name)
              for item in heavy),
            *(Evidence("dropout_rate", item.rate or 0.0, RATE, None, item.name,
                       side="at least") for item in heavy),
        ),
        ("Remove the dropout and fit the training data first. Then add it back at 0.1 to 0.3, on "
         "wide layers only.",),
        "Dropout too strong for narrow layers" if narrow else "Dropout leaves too few units",
        shows=_cut_by_dropout(history, heavy, signs),
    )


def _cut_by_dropout(
    history: RunHistory, layers: list[Layer], signs: Signs
) -> tuple[str, ...]:
    """Statistics that show dropout: it zeroes outputs, and the gradients with them."""
    outputs = history.table("activations")
    named = {layer.name for layer in layers}
    seen = outputs is not None and any(row.layer in named for row in outputs.rows)
    return (
        *(("activation_zero_fraction",) if seen else ()),
        *(("gradient_zero_fraction",) if "zero-gradient" in signs else ()),
        "gradient_norm",
    )


def _left(layer: Layer) -> float:
    """Average number of units of a layer that dropout keeps."""
    return (layer.units or 0) * (1 - (layer.rate or 0.0))


RULE = Rule(
    id="over-regularization",
    kind="cause",
    title="Regularization is too strong",
    needs=("config|variable_norm",),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "regularization_share", high=SHARE,
            source=(
                "Measured at the start and at the end. Above this, the optimizer mainly reduces "
                "the penalty."
            ),
        ),
        Threshold(
            "regularization_strength", high=STRONG, detail="L1 or L2",
            source="Ten times the upper end of the usual range of 1e-5 to 1e-3.",
        ),
        Threshold(
            "weight_decay_per_step", high=FORGETS,
            source=(
                "A weight then forgets within a thousand steps. Common settings give 1e-6 to 1e-4 "
                "(Loshchilov & Hutter 2019, arXiv:1711.05101)."
            ),
        ),
        Threshold(
            "weight_shrinkage", low=SHRUNK,
            source="Weights usually grow while they learn.",
        ),
        Threshold(
            "weight_shrinkage", low=VANISHED, detail="(every kernel, if no penalty was recorded)",
            source="Two kernels at a tenth of their first size pass on a hundredth of the signal.",
        ),
        Threshold(
            "records", high=RECORDS,
            source="Fewer records cannot compare the size of the weights with their start.",
        ),
        Threshold(
            "added_loss_share", high=ADDED,
            source="The data outweighs a smaller term from the first step on.",
        ),
        Threshold(
            "dropout_units", low=NARROW,
            source=(
                "In a narrower layer, dropping half of the units leaves too few (UMLAUT warns "
                "about dropout on narrow layers)."
            ),
        ),
        Threshold(
            "weights_after_constraint", low=CUT,
            source=(
                "A limit of 2 to 4 on the norm of a unit's weights, as published (Srivastava et "
                "al. 2014), cuts nothing off at the start."
            ),
        ),
        Threshold(
            "dropout_units_left", low=LEFT,
            source="Fewer units carry little information, however wide the layer is.",
        ),
        Threshold(
            "validation_loss_over_training", low=MILDER, detail="(with noise only in training)",
            source=(
                "Dropout is off in validation, which lowers its loss (Keras FAQ). Here the noise "
                "is nearly a third of the training loss."
            ),
        ),
        Threshold(
            "validation_loss_over_baseline", high=2 * SOLVED,
            detail="(with noise only in training)",
            source="Below this, the model fits its task, and the noise did no harm.",
        ),
        Threshold(
            "loss_over_baseline", low=SAME_SCALE, detail="(with noise only in training)",
            source="A higher loss has another scale, such as that of weighted classes.",
        ),
        Threshold(
            "loss_over_baseline", high=STUCK, detail="(with random image augmentation)",
            source="The model then explains nothing, and no other sign shows a reason.",
        ),
        Threshold(
            "dropout_rate", high=RATE,
            source=(
                "Half is the usual rate for wide layers (Srivastava et al. 2014); narrow ones "
                "need less."
            ),
        ),
    ),
    measures=(
        Measure("added_loss_share", "share of add_loss in the loss at the "
                                    "start", ("loss",), "fraction"),
        Measure(
            "data_loss_over_baseline", "data loss over the baseline loss", ("data_loss",),
            "fraction",
        ),
        Measure(
            "regularization_share", "regularization loss over the total loss",
            ("regularization_loss",), "fraction",
        ),
        Measure("regularization_strength", "strength of {detail}"),
        Measure("weight_decay_per_step", "part of a weight that decay takes per step", (),
                "fraction"),
        Measure("weight_shrinkage", "norm of the weights over its start", ("variable_norm",)),
        Measure(
            "validation_loss_over_training", "validation loss over training loss",
            ("validation_loss",), "fraction",
        ),
        Measure(
            "weights_after_constraint", "norm of the weights after the first step over its start",
            ("variable_norm",), "fraction",
        ),
        Measure("constraint_limit", "largest norm of a unit's weights that is allowed"),
        Measure("dropout_rate", "dropout rate", (), "fraction"),
        Measure("dropout_units", "units of a layer under heavy dropout"),
        Measure("dropout_units_left", "units that dropout keeps"),
    ),
    shows=("variable_norm", "gradient_norm"),
    of_sound=True,
    explains=("wrong-labels", "constant-loss",
              "loss-not-decreasing", "vanishing-gradient", "constant-output", "zero-gradient",
              "dead-relu", "underfitting",
              "learning-rate-too-low", "update-ratio-out-of-range"),
    experiment="ablation: without the regularization",
    falsified_by=("The training loss is no lower without the regularization.",),
    false_alarms=("A run that has nearly fitted its data has little loss left except the "
                  "penalty.",),
    references=("Srivastava et al. 2014, Dropout", "Schoop et al. 2021, UMLAUT, CHI"),
)
