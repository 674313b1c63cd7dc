"""The labels do not mean what the loss assumes, or they do not belong to the inputs.

A sparse cross-entropy reads its target as a class index. Labels that were divided by 255 along with
the images all become class 0. Labels that start at 1 run past the last class.

Labels paired with the wrong inputs show by their effect: with nothing else wrong, the loss plateaus
exactly at that of a model that ignores its input. That is the variance of the targets for a squared
error, and their entropy for a cross-entropy.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import SPARSE_LOSSES, configuration
from tb_convergence.core.diagnosis.data import (
    baseline_loss,
    columns_of,
    label_shares,
    target_kind,
)
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.output_heads import at_any_head
from tb_convergence.core.diagnosis.rate_schedule import rates
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.step_size import BEGUN, path_length
from tb_convergence.core.diagnosis.table_columns import median_over_time, weights_column
from tb_convergence.core.diagnosis.training_progress import lagging_statistics
from tb_convergence.core.history import RunHistory, Steps, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

BASELINE: Final = 0.9
MOVES: Final = 1e-4
MOVED: Final = 0.02
NEVER: Final = 0.96
BELOW: Final = 0.98
APART: Final = 2.0
FITS: Final = 0.5
UNEVEN: Final = 0.75
EPOCHS: Final = 5
ITS_OWN_SIGNS: Final = frozenset({"loss-not-decreasing", "overfitting", "underfitting"})
"""Signs of wrong labels; any other finding would explain the loss as well."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return at_any_head(history, signs, _out_of_range) or _unrelated(history, signs)


def _unrelated(history: RunHistory, signs: Signs) -> Match | None:
    variables, trajectory = history.table("variables"), loss_trajectory(history)
    if variables is None or trajectory is None or trajectory.observed < 100:
        return None
    others = {id_ for id_, match in signs.items() if match.severity != "info"}
    if not variables.has("update_ratio") or others - ITS_OWN_SIGNS:
        return None
    known = rates(history)
    if known is not None and known.died_early:
        return None  # without a learning rate, a loss plateaus whatever the labels
    baseline = baseline_loss(history)
    ratio = median_over_time(weights_column(variables, "update_ratio"))
    if not np.isfinite(ratio).any() or float(np.nanmax(ratio)) <= MOVES:
        return None
    path = path_length(history)
    if path is not None and path < BEGUN:
        return None  # a model that has hardly moved stays at its initial loss
    if float(np.nanmin(ratio)) * trajectory.observed < MOVED:
        return None  # a layer that does not move is another fault
    if baseline is None or baseline <= 0:
        return None
    return _at_baseline(history, trajectory, baseline) or _never_generalizes(
        history, trajectory, baseline
    )


def _at_baseline(history: RunHistory, trajectory: LossTrajectory, baseline: float) -> Match | None:
    share = trajectory.end / baseline
    if not BASELINE < share < 2 - BASELINE or not trajectory.settled:
        return None
    lower = _lower_validation(history, baseline)
    text = (
        f"The loss has plateaued at {number(trajectory.end, 4)}, {percent(share)} of the loss of a "
        f"model that ignores its input ({number(baseline, 4)}), although the weights move. No "
        "other check of "
        "data, gradients and weights found a reason, so inputs and labels may not belong together."
    )
    text += _above_baseline_text(history, baseline)
    if lower is not None:
        text += (
            f" The validation loss ends lower, at {number(lower, 4)}. Unless its targets are "
            "distributed differently, the model has learned a little. That is impossible if all "
            "labels are wrong. If only some are wrong, the correct ones may still make the loss "
            "fall."
        )
    std_ratio = _std_of_predictions(history)
    return Match(
        "warning", 0.5 if lower is None else 0.4,
        text,
        0, int(trajectory.steps[-1]),  # the data are there from the beginning
        _rows(history, "prediction") or _rows(history, "target"),
        (
            Evidence("loss_over_baseline", share, BASELINE,
                     int(trajectory.steps[-1])),
            *((Evidence("validation_loss_over_baseline", lower / baseline, None,
                        None),) if lower is not None else ()),
            *((Evidence("prediction_std_ratio", std_ratio),) if std_ratio is not None else ()),
        ),
        title="Inputs and labels may not belong together",
    )


def _above_baseline_text(history: RunHistory, baseline: float) -> str:
    """A sentence on a validation loss that ends above the baseline loss; "" otherwise."""
    last = _last_validation(history)
    if not last > baseline:
        return ""
    return (
        f" The validation loss ends at {number(last, 4)}, so the gain does not carry over to other "
        "data."
    )


def _lower_validation(history: RunHistory, baseline: float) -> float | None:
    """The validation loss at the end, where it is clearly below the baseline loss; else None."""
    last = _last_validation(history)
    return last if last < BELOW * baseline else None


def _last_validation(history: RunHistory) -> float:
    """The validation loss at the end; NaN if there is none."""
    series = history.series("validation_loss")
    return float(series.values[-1]) if series is not None and len(series) else math.nan


def _std_of_predictions(history: RunHistory) -> float | None:
    """Std of the predictions over that of the targets, for the columns that vary the most."""
    outputs, targets = columns_of(history, "prediction"), columns_of(history, "target")
    if outputs is None or targets is None or outputs.count != targets.count:
        return None
    largest = float(np.max(targets.overall[1]))
    late = outputs.std[-max(1, len(outputs.std) // 10):]
    std_ratio = float(np.max(np.median(late, axis=0)))
    return std_ratio / largest if largest > 0 and np.isfinite(std_ratio) else None


def _never_generalizes(
    history: RunHistory, trajectory: LossTrajectory, baseline: float
) -> Match | None:
    """The model memorized the training data, and no epoch beat the baseline on other data.

    A model that overfits real relations beats the baseline first, and gets worse only later.
    """
    validation = history.series("validation_loss")
    if validation is None:
        return None
    finite = np.isfinite(validation.values)
    values, steps = np.asarray(validation.values[finite], np.float64), validation.steps[finite]
    if len(values) < EPOCHS or trajectory.end > baseline or lagging_statistics(history):
        return None
    if _largest_share(history) > UNEVEN:
        return None
    best = float(values.min()) / baseline
    if best >= APART:
        return _apart(history, trajectory, baseline, values, steps)
    if not best > NEVER:
        return None
    return Match(
        "warning", 0.5,
        f"In {len(values)} epochs the validation loss was never better than "
        f"{number(values.min(), 4)}; a model that ignores its input has {number(baseline, 4)}. "
        "Inputs and labels may not belong "
        "together, or the validation data is of a different kind.",
        int(steps[0]), int(steps[-1]), _rows(history, "target"),
        (Evidence("validation_loss_over_baseline", best, NEVER,
                  int(steps[int(np.argmin(values))]), detail="(best)"),),
        title="Inputs and labels may not belong together",
    )


def _largest_share(history: RunHistory) -> float:
    """Share of the most frequent class; 0 if unknown."""
    targets, kind = columns_of(history, "target"), target_kind(history)
    if targets is not None and kind in ("binary", "one-hot"):
        mean = targets.overall[0]
        return float(np.max(np.maximum(mean, 1 - mean) if kind == "binary" else mean))
    shares = label_shares(history)
    return 0.0 if shares is None else float(shares.mean(axis=0).max())


def _apart(
    history: RunHistory, trajectory: LossTrajectory, baseline: float, values: Values, steps: Steps
) -> Match | None:
    """Validation is far worse than ignorance from the first epoch on, while training fits.

    A model that memorizes is sure of itself only late. Sure and wrong at once, it sees data that it
    was not trained for.
    """
    if trajectory.end > FITS * baseline:
        return None
    return Match(
        "warning", 0.7,
        f"The training loss fell to {number(trajectory.end)}, but none of {len(values)} validation "
        f"losses, the first included, was better than {number(values.min(), 4)}; a model that "
        f"ignores its input has {number(baseline, 4)}. The validation data is probably not "
        "prepared as the training data is.",
        int(steps[0]), int(steps[-1]), _rows(history, "target"),
        (Evidence("validation_loss_over_baseline", float(values.min()) / baseline, APART,
                  int(steps[int(np.argmin(values))]), side="at least", detail="(best)"),),
        (
            "Prepare validation and test data exactly as the training data: the same scaling (such "
            "as / 255, or the mean and deviation of the training split), order of classes and "
            "tokenizer. Compare mean and standard deviation of both.",
            "Evaluate on the training data. If that is bad as well, the model behaves differently "
            "in training and evaluation.",
        ),
        title="Validation data is prepared differently",
    )


def _out_of_range(history: RunHistory, _: Signs) -> Match | None:
    table, model = history.table("inputs"), configuration(history)
    if table is None or model.loss not in SPARSE_LOSSES or model.output is None:
        return None
    rows = table.rows_of("target")
    if len(rows) != 1 or not (table.has("feature_min") and table.has("feature_max")):
        return None
    edges = np.concatenate([table.column(c)[:, rows[0]] for c in ("feature_min", "feature_max")])
    edges = edges[np.isfinite(edges)]
    classes = model.output.units
    if not len(edges) or classes is None or classes < 2:
        return None  # one output is no choice of classes: see wrong-loss
    low, high = float(edges.min()), float(edges.max())
    fractional = edges[edges != np.round(edges)]
    if len(fractional):
        text = (
            f"Labels such as {number(float(fractional[-1]))} are not whole numbers and are "
            f"truncated to {int(fractional[-1])}. Were they scaled together with the data?"
        )
        return _match(history, text, "fractional_label", float(fractional[-1]), None,
                      "Labels are not whole numbers")
    if low < 0 or high >= classes:
        text = (
            f"Labels go from {number(low, 6)} to {number(high, 6)}, but {model.output.name} has "
            f"{classes} outputs, for labels 0 to {classes - 1}."
        )
        return _match(history, text, "largest_label" if high >= classes else "smallest_label",
                      high if high >= classes else low,
                      float(classes - 1) if high >= classes else 0.0,
                      "Labels outside the classes of the output")
    return None


def _rows(history: RunHistory, kind: str) -> tuple[str, ...]:
    table = history.table("inputs")
    return tuple(table.rows[row].name for row in table.rows_of(kind)) if table else ()


def _match(
    history: RunHistory, text: str, measure: str, value: float, limit: float | None, title: str
) -> Match:
    return Match("critical", 0.95, text, 0, max(0, history.last_step), _rows(history, "target"),
                 (Evidence(measure, value, limit),), title=title, ruins=True)


RULE = Rule(
    id="wrong-labels",
    kind="cause",
    title="The labels are wrong",
    needs=("feature_min", "feature_max", "config"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_over_baseline", high=BASELINE,
            source="At this level the model explains nothing (1 - R² for a squared error).",
        ),
        Threshold(
            "slowest_update_ratio", high=MOVES,
            source="Updates this large show that the model can learn (see learning-rate-too-low).",
        ),
        Threshold(
            "slowest_path_length", high=MOVED,
            source="A tenth of the 20% by which the fastest layer must have moved.",
        ),
        Threshold(
            "loss_over_baseline", low=FITS, detail="(of a run that fits its training data)",
            source="The training loss is less than half of that of a model that ignores its input.",
        ),
        Threshold(
            "validation_loss_over_baseline", high=APART, detail="(best, in a run that fits)",
            source=(
                "Twice the loss of a model that ignores its input means confident and wrong (the "
                "same limit as for the first loss)."
            ),
        ),
        Threshold(
            "validation_loss_over_baseline", high=NEVER, detail="(best)",
            source=(
                "A few samples can explain a loss slightly below the baseline. Above this, no "
                "epoch helped on other data."
            ),
        ),
        Threshold(
            "validation_loss_over_baseline", low=BELOW, detail="(a little is learned)",
            source=(
                "Chance makes the class shares of the two sets differ, but this explains only a "
                "smaller distance from the baseline."
            ),
        ),
        Threshold(
            "largest_share", low=UNEVEN,
            source=(
                "With such a dominant class, the validation data may well have different class "
                "shares."
            ),
        ),
        Threshold(
            "epochs", high=EPOCHS,
            source="Fewer epochs are not compared with the baseline.",
        ),
    ),
    measures=(
        Measure(
            "slowest_path_length", "path length of the slowest layer over its size",
            ("update_ratio",), "fraction",
        ),
        Measure("largest_share", "share of the largest class", ("feature_mean",), "fraction"),
        Measure(
            "fractional_label", "fractional label", ("feature_max",), reading=True, kind="target",
        ),
        Measure(
            "largest_label", "largest label", ("feature_max",), reading=True, kind="target",
            limit="last class",
        ),
        Measure(
            "smallest_label", "smallest label", ("feature_min",), reading=True, kind="target",
            limit="first class",
        ),
    ),
    shows=("loss", "feature_std"),
    explains=("loss-not-decreasing", "non-finite-values", "overfitting", "loss-divergence",
              "underfitting", "frozen-variable"),
    advice=(
        "Print a few pairs of input and label as they reach fit(), and check that they match. Was "
        "one of the two shuffled, sorted or filtered without the other?",
        "Count the labels that reach fit(): every class should be there, as often as in the "
        "source.",
        "Run a small-sample fit: fit ten samples until the loss is nearly zero. If that works, the "
        "model and the loss are sound, and the data is at fault.",
    ),
    experiment="small-sample fit",
    falsified_by=(
        "The recorded labels are not those that the loss receives.",
        "Ten samples can be fitted, and a larger model or better features lower the loss.",
    ),
    false_alarms=("With noise that no input explains, even the best loss may be near the "
                  "baseline.",),
    references=("Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, ICSE",),
)
