"""Some trainable layers were never given to an optimizer, or no gradient reaches them.

A custom train step applies gradients only to the variables it names. And an operation without a
derivative (rounding, argmax, a cast to integers, stop_gradient, a detour through NumPy) keeps the
gradient from the layers before it. These layers stay at their random initialization, and the rest
of the model learns around them. The loss falls, but not as far as it could.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration, Layer, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rate_schedule import rates, stated_rate
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import WEIGHT_KINDS, layers_of
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import Bound, NoStatisticError, RunHistory, Table
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import counted, listed, title_with_layers

COPY: Final = re.compile(
    r"target|teacher|ema|momentum|slow|old|averag|shadow|copy|lag|key|polyak", re.IGNORECASE
)
"""Names that people give to a copy of a network that they update themselves."""
DESCRIBED: Final = 1000
RECORDS: Final = 5
FELT: Final = 1e-3
_MINUTE: Final = 1e-6
"""As in `learning_rate_too_low`: such a rate is the fault, not the parameters it was given."""
BOUNDS: Final[tuple[Bound, ...]] = ("low", "high")


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table, model = history.table("variables"), configuration(history)
    if table is not None and table.source == "histograms":
        return _unchanged(history, table) or _same_validation(history)
    if table is None and not history.config:
        if not history.points("validation_loss"):
            raise NoStatisticError("config", "run")
        return _same_validation(history)
    if table is None or not len(table.steps) or table.source != "recorder":
        return None
    if not history.config:
        raise NoStatisticError("config", "run")
    if not model.layers or len(model.layers) >= DESCRIBED:
        return None
    # With several optimizers, row names begin with the part that each trains: "critic: dense".
    given = {name for row in table.rows for name in (row.layer, row.layer.partition(": ")[2])}
    trained = [layer for layer in model.layers if layer.name in given]
    if not trained:
        return None  # names of another model: nothing can be told apart
    left = [
        layer for layer in model.layers
        if layer.trainable and layer.trainable_parameters and layer.name not in given
    ]
    if not left:
        return _cut_off(history, table)
    names = tuple(layer.name for layer in left)
    weights = sum(layer.trainable_parameters or 0 for layer in left)
    copied = _copied(left, trained)
    copy = copied and all(COPY.search(f"{layer.owner} {layer.name}") for layer in left)
    parts = tuple(dict.fromkeys(layer.owner for layer in left if layer.owner))
    where = f" (of {listed(parts, noun='part')})" if parts else ""
    summary = (
        f"{listed(names)}{where} {'are' if len(names) > 1 else 'is'} trainable, but no optimizer "
        f"was given {'their' if len(names) > 1 else 'its'} {weights:,} weights in "
        f"{counted(history.last_step + 1, 'step')}, so they keep their initial values."
    )
    if copied:
        summary += (
            " Layers of the same shapes are trained. If these are a copy that your code updates "
            "itself (a target network, an average of weights), all is well."
        )
    return Match(
        "info" if copy else "warning", 0.4 if copy else 0.65 if copied else 0.9, summary,
        0, max(0, history.last_step), names,
        (
            Evidence("layer_count", float(len(names)), 0.0,
                     detail="trainable layers that no optimizer was given"),
            Evidence("layer_count", float(len(trained)),
                     detail="trainable layers that an optimizer was given"),
        ),
        (
            "Add their variables to those that the train step differentiates and updates: use "
            f"model.trainable_variables, not a part of it. Or set trainable = False on {names[0]} "
            "if it should stay as it is.",
        ),
        title=title_with_layers(RULE.title, names),
    )


def _cut_off(history: RunHistory, table: Table) -> Match | None:
    """Layers without a gradient that feed layers with one: something between them has none.

    Layers without a gradient that feed no such layer (an unused head) do the model no harm.
    """
    model = configuration(history)
    if not table.has("gradient_missing") or any(layer.inputs is None for layer in model.layers):
        return None
    missing = (table.column("gradient_missing", "low") > 0).all(axis=0)
    without = {table.rows[row].layer for row in np.flatnonzero(missing)}
    reached = {table.rows[row].layer for row in np.flatnonzero(~missing)}
    cut = [layer for layer in model.layers if layer.name in without - reached]
    border = next(
        (between for layer in reversed(cut) for between in [_border(model, layer, reached)]
         if between), None,
    )
    if border is None:
        return None
    names, good = tuple(layer.name for layer in cut), learns(history)
    last, *middle, first = border
    where = f"{last} and {first}" + (f" ({', '.join(middle)})" if middle else "")
    return Match(
        "info" if good else "warning", 0.5 if good else 0.9,
        f"No gradient reaches {listed(names)}, although {first} behind "
        f"{'them' if len(names) > 1 else 'it'} gets one. An operation between {where} has no "
        f"derivative, so {'they keep their' if len(names) > 1 else 'it keeps its'} initial "
        f"values.{FALLS if good else ''}",
        0, max(0, history.last_step), names,
        (Evidence("layer_count", float(len(names)), 0.0, detail="layers without a gradient"),),
        (
            f"Remove what stops the gradient between {last} and {first}: rounding, argmax, a cast "
            "to integers, stop_gradient, or code in NumPy. If the rounding is needed, pass the "
            "gradient around it: x + stop_gradient(round(x) - x).",
        ),
        title="The gradient is cut off",
    )


def _unchanged(history: RunHistory, table: Table) -> Match | None:
    """Weights whose histograms are the same in every record, although they have a gradient.

    Any step changes nearly every weight, and with them the ends of the histogram and the counts of
    its bins. A frozen layer stays as it is on purpose; but then it has no gradient.
    """
    if not (table.has("variable_norm") and table.has("gradient_norm")):
        return None
    rows = [
        row for row in table.rows_of(*WEIGHT_KINDS) or range(len(table.rows))
        if _stays(table, row)
    ]
    weights = table.rows_of(*WEIGHT_KINDS) or list(range(len(table.rows)))
    if not rows:
        return None
    names, every = layers_of(table, rows), len(rows) == len(weights)
    known = rates(history)
    highest = np.nan if known is None else float(known.values.max())
    if 0 < highest <= _MINUTE:
        return None  # see learning-rate-too-low
    off = highest == 0
    records = int(np.isfinite(table.column("variable_norm", "low")[:, rows]).sum(axis=0).min())
    what = "No weight" if every else f"No weight of {listed(names)}"
    return Match(
        "info" if learns(history) and not every else "warning", 0.9 if every else 0.7,
        f"{what} changed between steps {int(table.steps[0]):,} and {int(table.steps[-1]):,}: "
        f"{counted(records, 'histogram')} of each {'is' if records == 1 else 'are'} identical, "
        "although the gradients are not zero.",
        int(table.steps[0]), int(table.steps[-1]), names,
        (Evidence("layer_count", float(len(names)), 0.0, detail="layers that never change"),),
        (
            "The learning rate is 0 throughout. Check the schedule." if off else
            "Check that the optimizer was given the parameters of this model, and after the model "
            "was last replaced, moved or wrapped: torch.optim.SGD(model.parameters(), ...).",
            "Check that optimizer.step() is called after backward(), and not skipped by a "
            "condition or by a gradient scaler.",
        ),
        title=RULE.title if every else title_with_layers(RULE.title, names),
    )


def _same_validation(history: RunHistory) -> Match | None:
    """Validation losses that are the same to the last digit, beside training losses that vary.

    Dropout and augmentation are off in validation, so the same weights give the same loss, and any
    step gives another one.
    """
    series, losses = history.series("validation_loss"), loss_trajectory(history)
    values = np.zeros(0) if series is None else np.asarray(series.values, np.float64)
    if series is None or losses is None or len(values) < RECORDS or not losses.noise > 0:
        raise NoStatisticError("config", "run")
    first, known, stated = float(values[0]), rates(history), stated_rate(history)
    if not np.isfinite(values).all() or first == 0 or not (values == first).all():
        return None
    if _coarse(first):
        return None  # a small change is lost in the rounding
    if losses.fell:
        return None  # the weights change; it is the validation that does not follow
    highest = (
        float(known.values.max()) if known is not None else 0.0 if stated is None else stated[1]
    )
    if 0 < highest <= _MINUTE or (known is not None and known.died_at_once):
        return None  # see learning-rate-too-low
    return Match(
        "warning", 0.85,
        f"All {len(values)} validation losses are exactly {number(first, 6)}, so no weight of the "
        f"validated model changed between steps {int(series.steps[0]):,} and "
        f"{int(series.steps[-1]):,}.",
        int(losses.steps[0]), int(series.steps[-1]), (),
        (Evidence("equal_validation_losses", float(len(values)), RECORDS, side="at least"),),
        (
            "Check that the loss depends on the parameters: detach(), .data, torch.no_grad() or a "
            "detour through NumPy on the way cuts off the gradient. Print the .grad of one "
            "parameter after backward().",
            "Check that the optimizer was given the parameters of this model, that they require "
            "gradients, and that optimizer.step() is called.",
            "Check that validation uses the model that is trained, and is computed anew each time.",
        ),
    )


def _coarse(value: float) -> bool:
    """Whether a program rounded a value before it logged it: to few digits, or to 16 bits."""
    single = np.float32(value)
    four_digits = np.format_float_scientific(value, precision=3)
    rounded = {np.float32(four_digits), np.float32(round(value, 4))}
    # Half precision has 10 bits after the first, and bfloat16 has 7; float32 has 23.
    return single in rounded or not int(single.view(np.uint32)) & (2**13 - 1)


def _stays(table: Table, row: int) -> bool:
    """Whether a variable is the same to the last bit in enough records with a gradient."""
    gradient = table.column("gradient_norm", "low")[:, row]
    size = table.column("variable_norm", "high")[:, row]
    # A weight that its type cannot change is not left out, but out of reach of the gradient.
    if np.count_nonzero(gradient > FELT * size) < RECORDS:
        return False
    for name in ("variable_norm", "variable_mean", "variable_std"):
        for bound in BOUNDS:
            values = table.column(name, bound)[:, row]
            values = values[np.isfinite(values)]
            if len(values) < RECORDS or not (values == values[0]).all():
                return False
    return bool(table.column("variable_norm", "high")[:, row].max() > 0)


def _border(model: Configuration, start: Layer, reached: set[str]) -> tuple[str, ...]:
    """Names of the layers from `start` to the next one that gets a gradient; () if none does."""
    path: tuple[str, ...] = (start.name,)
    for layer in model.layers[model.layers.index(start) + 1 :]:
        if path[-1] in (layer.inputs or ()):
            path += (layer.name,)
            if layer.name in reached:
                return path
    return ()


def _copied(left: list[Layer], trained: list[Layer]) -> bool:
    """Whether each untrained layer has a trained layer of the same kind and size."""
    def shapes(layers: list[Layer]) -> Counter[tuple[str, int | None]]:
        return Counter((layer.kind, layer.trainable_parameters) for layer in layers)

    return not shapes(left) - shapes(trained)


RULE = Rule(
    id="never-updated",
    kind="cause",
    title="Trainable weights are never updated",
    needs=("config|variable_norm|validation_loss",
           "gradient_norm|update_norm|loss|epoch_loss"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "layers", low=DESCRIBED,
            source=(
                "A configuration lists at most this many layers, so the rule cannot judge larger "
                "models."
            ),
        ),
        Threshold(
            "records", high=RECORDS, detail="(histograms)",
            source="Identical histograms of a few records may be of one step, written twice.",
        ),
        Threshold(
            "equal_validation_losses", high=RECORDS,
            source=(
                "Fewer may be one evaluation that was logged several times. Values that were "
                "rounded to four digits or to half precision do not count."
            ),
        ),
        Threshold(
            "gradient_over_weight", high=FELT, detail="(histograms)",
            source=(
                "SGD at a rate of 1e-4 or more then changes the weights by more than the precision "
                "of float32 (6e-8 of their size). The steps of Adam do not depend on this norm."
            ),
        ),
    ),
    measures=(
        Measure("gradient_over_weight", "norm of the gradient over that of the weights"),
        Measure("equal_validation_losses", "validation losses that are equal",
                ("validation_loss",)),
    ),
    shows=("update_ratio", "update_norm", "validation_loss"),
    explains=("frozen-variable", "zero-gradient", "loss-not-decreasing", "underfitting",
              "overfitting", "constant-output", "insufficient-capacity", "wrong-labels",
              "dead-relu", "vanishing-gradient", "poor-initialization", "too-few-steps",
              "learning-rate-too-low", "exploding-gradient"),
    restates=("insufficient-capacity", "too-few-steps"),
    experiment="print one weight of the layer before and after an epoch",
    falsified_by=("A weight of the named layer differs between two checkpoints.",),
    false_alarms=(
        "Copies of a network that your own code updates: target networks, teachers, averaged "
        "weights.",
        "A validation loss that is computed once and logged again and again.",
        "Weights that change by less than their type can hold, as in the last steps of a schedule.",
        "Parts that are kept out of a training on purpose with stop_gradient.",
    ),
    references=("Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, ICSE",),
)
