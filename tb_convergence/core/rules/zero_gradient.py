"""Most of a kernel's gradient is exactly zero, record after record.

Two kinds of healthy runs have many zeros too, so the limit is stricter for them. A kernel that
reads the data directly gets no gradient for an input that is always zero, such as the corner of an
image. In very small batches, chance makes many entries zero: a ReLU unit is off for about half of
the samples, so in a batch of one sample, three quarters of the entries between two such layers are
zero.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import columns_of
from tb_convergence.core.diagnosis.end_states import NO_GRADIENT, EndState
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import WEIGHT_KINDS, layers_of
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.text.numbers import percent_range
from tb_convergence.core.text.phrases import listed, title_with_layers

FRACTION = 0.7
ALL = 0.999
RECORDS = 5
SOLVED = 0.99
WITH_MOMENTUM = frozenset({"Adam", "AdamW", "Adamax", "Nadam", "Lamb", "Lion"})
"""Optimizers with built-in momentum."""
SMALL_BATCH = 8


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or not table.has("gradient_zero_fraction"):
        return None
    rows = table.rows_of(*WEIGHT_KINDS)
    if not rows or not len(table.steps):
        return None
    zero = table.column("gradient_zero_fraction", "low")[:, rows]
    unreached = _unreached_output(history, table, rows, zero)
    if unreached is not None:
        return unreached
    if len(table.steps) < RECORDS:
        return _no_gradient_at_start(history, table, rows, zero)
    limit = limits(history, len(rows))
    bad = np.nan_to_num(zero) >= limit
    # Only the end of the run counts: earlier zeros do not hold it back now.
    lasting = np.flatnonzero(bad[-RECORDS:].all(axis=0))
    if not len(lasting):
        return None
    affected = [rows[int(index)] for index in lasting]
    onset = min(lasting_since(bad[:, int(index)]) for index in lasting)
    recent = np.median(zero[-RECORDS:][:, lasting], axis=0)
    complete = int((recent >= ALL).sum())
    # A network in which no kernel gets a gradient has stopped, however far it came before.
    benign = learns(history) and (complete < len(rows) or _solved(history))
    severity: Severity = "critical" if complete else "warning"
    state = _state(table, zero)
    # This dates gradients that are mostly zero. All of them may be zero only later (see `state`).
    later = state is not None and state.since > int(table.steps[onset])
    unit = "epoch" if table.axis == "epoch" else "step"
    whole = f", in every record since {unit} {state.since:,}" if state and later else ""
    return Match(
        severity="info" if benign else severity,
        confidence=0.9 if complete else 0.7,
        summary=(
            f"{percent_range(recent)} of the gradient of {listed(layers_of(table, affected))} is "
            f"exactly zero{whole}.{momentum_text(history)}{FALLS if benign else ''}"
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=layers_of(table, affected),
        evidence=tuple(
            Evidence("gradient_zero_fraction",
                     float(np.median(zero[since:, index])), float(limit[index]),
                     int(table.steps[since]), table.rows[rows[index]].layer,
                     side="at least", detail="(median since that step)")
            for index in lasting.tolist() for since in (lasting_since(bad[:, index]),)
        ),
        title=title_with_layers(RULE.title, layers_of(table, affected)),
        benign=benign,
        ruins=complete == len(rows) and not benign,
        state=state,
    )


def _unreached_output(
    history: RunHistory, table: Table, rows: list[int], zero: Values
) -> Match | None:
    """An output, one of several, whose kernel never gets a gradient: the loss ignores it.

    The finding is reported however well the other outputs learn, because the loss does not show it.
    """
    ends = {layer.name for layer in configuration(history).ends}
    outputs = [index for index, row in enumerate(rows) if table.rows[row].layer in ends]
    none = [index for index in outputs if bool((np.nan_to_num(zero[:, index]) >= ALL).all())]
    size = configuration(history).batch_size
    if not none or len(none) == len(outputs) or (size is not None and size < SMALL_BATCH):
        return None
    names = layers_of(table, [rows[index] for index in none])
    first, last = int(table.steps[0]), int(table.steps[-1])
    return Match(
        "warning", 0.85,
        f"{listed(names, noun='output')} {'get' if len(names) > 1 else 'gets'} no gradient at "
        "all, while other outputs do: the loss does not depend on "
        f"{'them' if len(names) > 1 else 'it'}.",
        first, last, names,
        tuple(
            Evidence("gradient_zero_fraction", float(np.min(zero[:, index])), ALL, first,
                     table.rows[rows[index]].layer, side="at least",
                     detail="(smallest of the records)")
            for index in none
        ),
        (
            f"Check the weight of {names[0]} in the loss: a loss_weights entry of 0, a loss that "
            "is missing in compile(), or a mask or sample weights that are all zero.",
        ),
        title=title_with_layers("No gradient reaches an output", names),
    )


def _no_gradient_at_start(
    history: RunHistory, table: Table, rows: list[int], zero: Values
) -> Match | None:
    """No kernel gets any gradient in the first records, so training cannot begin."""
    size = configuration(history).batch_size
    if int(table.steps[0]) != 0 or (size is not None and size < SMALL_BATCH):
        return None
    if not bool((np.nan_to_num(zero) >= ALL).all()):
        return None
    names = layers_of(table, rows)
    return Match(
        "critical", 0.85,
        f"No kernel gets any gradient from the first batch on, so {listed(names)} cannot learn.",
        0, int(table.steps[-1]), names,
        (Evidence("gradient_zero_fraction", float(np.min(zero)), ALL, 0, side="at least",
                  detail="(smallest of the kernels)"),),
        (
            "Trace the loss back. Does it depend on the model's output, without argmax, round, "
            "cast, stop_gradient or clip in between? Are all units dead, or all weights zero?",
        ),
        ruins=True, state=EndState(NO_GRADIENT, 0),
    )


def _state(table: Table, zero: Values) -> EndState | None:
    """Since when no kernel gets a gradient, from zero fractions `[S, K]`; None if one still does.
    """
    since = lasting_since((np.nan_to_num(zero) >= ALL).all(axis=1))
    return EndState(NO_GRADIENT, int(table.steps[since])) if since < len(zero) else None


def momentum_text(history: RunHistory) -> str:
    """A sentence on weights that momentum still moves without a gradient; "" if there are none."""
    table, model = history.table("variables"), configuration(history)
    if table is None or not (table.has("gradient_zero_fraction") and table.has("update_ratio")):
        return ""
    if not (model.optimizer in WITH_MOMENTUM or (model.momentum or 0) > 0):
        return ""
    rows = table.rows_of(*WEIGHT_KINDS)
    none = np.nan_to_num(table.column("gradient_zero_fraction", "low")[:, rows]) >= ALL
    moved = np.nan_to_num(table.column("update_ratio", "low")[:, rows]) > 0
    last, layers = 0, []
    for place, row in enumerate(rows):
        cut = lasting_since(none[:, place])
        late = np.flatnonzero(moved[cut:, place])
        if len(late) > 1:
            last = max(last, cut + int(late[-1]))
            layers.append(table.rows[row].layer)
    if not layers:
        return ""
    return f" Momentum kept moving {listed(layers)} until step {int(table.steps[last]):,}."


def limits(history: RunHistory, kernels: int) -> NDArray[np.float64]:
    """Zero fraction from which each kernel is reported, for kernels in order of depth: `[K]`."""
    size = configuration(history).batch_size
    limit = np.full(kernels, ALL if size is not None and size < SMALL_BATCH else FRACTION)
    limit[:1] = ALL
    return limit


def _solved(history: RunHistory) -> bool:
    """Whether nothing is left to learn, so that a gradient of zero is correct."""
    targets = columns_of(history, "target")
    if targets is not None and targets.constant:
        return True
    trajectory = loss_trajectory(history)
    return trajectory is not None and trajectory.fall > SOLVED


def _healthy(history: RunHistory, table: Table) -> Mapping[int, Range]:
    """Healthy zero fractions; none for a kernel that is judged only if all of its gradient is 0.

    A range from 0 to 99.9% would call healthy what merely proves nothing.
    """
    kernels = table.rows_of(*WEIGHT_KINDS)
    return {
        row: (0.0, float(limit)) if limit < ALL else (None, None)
        for row, limit in zip(kernels, limits(history, len(kernels)), strict=True)
    }


RULE = Rule(
    id="zero-gradient",
    kind="symptom",
    title="Gradients are exactly zero",
    needs=("gradient_zero_fraction",),
    at_least=1,  # an output that gets no gradient shows in the first record
    evaluate=_evaluate,
    healthy=(Healthy("gradient_zero_fraction", _healthy),),
    thresholds=(
        Threshold(
            "gradient_zero_fraction", high=FRACTION,
            source=(
                "DeepDiagnosis and AutoTrainer call neurons dead if more than 70% of their "
                "gradients are zero."
            ),
        ),
        Threshold(
            "gradient_zero_fraction", high=ALL, detail="(all)",
            source="Apart from a stray entry, the kernel then gets no gradient at all.",
        ),
        Threshold(
            "records", high=RECORDS, detail="in a row at the end of the run",
            source="One unusual batch must not trigger the finding.",
        ),
        Threshold(
            "loss_fall", low=SOLVED,
            source="When this part of the starting loss is gone, nothing is left to learn.",
        ),
        Threshold(
            "batch_size", high=SMALL_BATCH,
            source=(
                "(1 - 1/4)^8 is a tenth, so in larger batches chance does not explain the zeros."
            ),
        ),
    ),
    shows=("gradient_zero_fraction",),
    of_sound=True,
    advice=(
        "Find the operation that cuts off the gradient: dead ReLU units, a saturated output, "
        "stop_gradient, argmax or a cast to integer.",
    ),
    falsified_by=(
        "The layer's weights change between records, and neither momentum nor decay moves them.",
    ),
    false_alarms=("Embeddings and mostly zero inputs have sparse gradients by nature.",),
    references=("Wardat et al. 2022, DeepDiagnosis, ICSE",),
)
