"""One class makes up nearly all samples, so always predicting it is nearly always right.

If the targets hold only 0 and 1, their means are the class shares. If they are class numbers, the
recorder counts the classes. Imbalance by itself is a property of the data. It becomes a fault when
the model only reproduces the class shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import SPARSE_LOSSES, configuration
from tb_convergence.core.diagnosis.data import (
    Columns,
    baseline_loss,
    columns_of,
    holds_only_zero_and_one,
    label_shares,
    target_kind,
)
from tb_convergence.core.diagnosis.end_states import ONE_OUTPUT, EndState
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.output_heads import at_any_head
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.training_progress import LITTLE
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

SHARE: Final = 0.875
REPEATS: Final = 0.1
NEARLY: Final = 0.05
SAMPLES: Final = 100
POSITIONS: Final = 4
PADDED: Final = 0.5
STUCK: Final = 0.9
RECORDS: Final = 5
NAMED: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Shares:
    """Share of each class among the recorded samples, and a lower bound on their number."""

    of: tuple[float, ...]
    samples: int

    @property
    def largest(self) -> float:
        return max(self.of)


def _shares(history: RunHistory) -> _Shares | None:
    targets = columns_of(history, "target")
    if targets is None:
        return None
    kind = target_kind(history)
    two = kind == "binary" or (
        configuration(history).loss in SPARSE_LOSSES and targets.count == 1
        and holds_only_zero_and_one(targets)
    )
    samples = len(targets.steps) * (configuration(history).batch_size or 1)
    mean = targets.overall[0]
    if two:
        return _Shares((1 - float(mean[0]), float(mean[0])), samples)
    if kind == "one-hot" and len(targets.names) == targets.count:
        return _Shares(tuple(float(value) for value in mean), samples)
    recorded = label_shares(history) if kind == "indices" and targets.count == 1 else None
    if recorded is None:
        return None
    of = tuple(float(value) for value in recorded.mean(axis=0))
    return _Shares(of, samples)


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return at_any_head(history, signs, _of_output)


def _of_output(history: RunHistory, signs: Signs) -> Match | None:
    return strongest(_one_class(history, signs), _padding(history))


def _padding(history: RunHistory) -> Match | None:
    """Most positions of a target sequence hold one value in every sample, and the loss counts them.
    """
    targets, trajectory = columns_of(history, "target"), loss_trajectory(history)
    baseline = baseline_loss(history)
    if configuration(history).loss not in SPARSE_LOSSES or targets is None:
        return None
    if trajectory is None or baseline is None or targets.count < POSITIONS:
        return None
    if len(targets.steps) * (configuration(history).batch_size or 1) < SAMPLES:
        return None
    still = (targets.low.min(axis=0) == targets.high.max(axis=0)) & (targets.std == 0).all(axis=0)
    share = float(targets.widths[still].sum() / targets.widths.sum())
    if share < PADDED:
        return None
    left = trajectory.end / baseline if baseline > 0 else 0.0
    fault = left > LITTLE and trajectory.observed >= SAMPLES
    return Match(
        "warning" if fault else "info", 0.75 if left > STUCK else 0.65 if fault else 0.3,
        f"{percent(share)} of the {targets.count} target positions hold the same value in every "
        "recorded sample (padding), and the loss counts them. The model learns those positions at "
        f"once. The loss ends at {percent(left)} of the loss that a model that ignores its input "
        "has on the other positions.",
        0, max(0, history.last_step), targets.names[:1],
        (
            Evidence("constant_places_share", share, PADDED, side="at least"),
            Evidence("loss_over_baseline", left,
                     LITTLE if fault else None,
                     side="more than" if fault else None, detail="at the other positions"),
        ),
        (
            "Exclude padding from the loss: mask_zero=True in the embedding, "
            "SparseCategoricalCrossentropy(ignore_class=0), or sample weights of 0.",
            "Pad each batch only to its longest sequence, and measure accuracy only on the "
            "positions that are not padding.",
        ),
        title="Padding dominates the loss",
        # The other positions are a small part of the loss, so it falls slowly and late.
        explains=("wrong-labels", "insufficient-capacity", "too-few-steps",
                  "learning-rate-too-low") if fault else (),
    )


def _one_class(history: RunHistory, signs: Signs) -> Match | None:
    shares = _shares(history)
    if shares is None or shares.samples < SAMPLES:
        return None
    largest, classes = shares.largest, len(shares.of)
    if largest < SHARE:
        return None
    std_ratio = _repeats_prior(history, shares)
    stuck = _no_better_than_prior(history)
    never, with_rare = _batches_never_predicted(history, shares)
    # A network without any gradient gives the class shares whatever they are.
    zero = signs.get("zero-gradient")
    alive = zero is None or zero.severity != "critical"
    fault = alive and largest < 1 and ((std_ratio is not None and stuck) or never >= RECORDS)
    name, targets = shares.of.index(largest), columns_of(history, "target")
    evidence = [Evidence("largest_class_share", largest, SHARE, side="at least")]
    text = f"Class {name} makes up {percent(largest)} of the recorded samples ({classes} classes)"
    if largest == 1:
        text = f"Every recorded sample belongs to class {name}, so there is nothing to tell apart"
    if std_ratio is not None:
        evidence.append(
            Evidence("prediction_std_ratio", std_ratio, REPEATS,
                     side="less than")
        )
        if fault:
            text += ", and the model outputs that share for every input"
    elif fault:
        of = f"class {1 - name}" if classes == 2 else "a rarer class"
        evidence.append(Evidence("batches_without_class",
                                 float(never), float(RECORDS), side="at least", detail=of))
        what = (
            f"the model predicted class {name} for every sample" if classes == 2 else
            "no sample got a probability of 50% or more for that class"
        )
        text += (
            f". In the second half of the run, {with_rare} recorded batches contained samples of "
            f"{of}, and in {'all' if never == with_rare else f'{never:,}'} of them {what}"
        )
    return Match(
        "warning" if fault else "info", 0.75 if fault else 0.4, text + ".",
        0, max(0, history.last_step),
        () if targets is None else targets.names[name:][:1] or targets.names[:1], tuple(evidence),
        (
            f"Weight the classes: fit(..., class_weight={_weights(shares)}), or draw batches with "
            "equally many samples of each class.",
            "Judge the model by precision and recall of the rare classes (or AUC), not by "
            f"accuracy: a constant prediction already gets {percent(largest)}.",
        ),
        # A model sure of the largest class is increasingly wrong on data with more of the others.
        explains=("overfitting",) if fault else (),
        state=EndState(ONE_OUTPUT, 0) if fault and std_ratio is not None else None,
    )


def _weights(shares: _Shares) -> str:
    """Weights inversely proportional to the shares, as scikit-learn's "balanced" mode."""
    some = [
        f"{index}: {number(1 / (len(shares.of) * share), 2)}"
        for index, share in enumerate(shares.of[:4]) if share > 0
    ]
    return "{" + ", ".join(some) + (", ..." if len(shares.of) > 4 else "") + "}"


def _repeats_prior(history: RunHistory, shares: _Shares) -> float | None:
    """Std of the outputs over that of the targets if the mean output is the prior, otherwise None.
    """
    outputs = columns_of(history, "prediction")
    if outputs is None or len(outputs.steps) < RECORDS:
        return None
    last = _last(outputs)
    prior = np.asarray(shares.of[1:] if outputs.count == 1 else shares.of)
    if prior.shape != last[0].shape or not np.isfinite(np.concatenate(last)).all():
        return None
    if float(np.abs(last[0] - prior).max()) > NEARLY:
        return None
    natural = float(np.sqrt(prior * (1 - prior)).max())
    std_ratio = float(last[1].max()) / natural if natural > 0 else 0.0
    return std_ratio if std_ratio < REPEATS else None


def _last(outputs: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std of each output over the last records."""
    recent = slice(-RECORDS, None)
    return np.mean(outputs.mean[recent], axis=0), np.mean(outputs.std[recent], axis=0)


def _batches_never_predicted(history: RunHistory, shares: _Shares) -> tuple[int, int]:
    """Batches of the second half that contain a rare class and predict it for no sample.

    And of how many batches with a rare class. The first is 0 if in more than `NAMED` of them a
    sample may predict a rare class that its batch contains: the model then recognizes some.
    """
    outputs = columns_of(history, "prediction")
    if outputs is None:
        return 0, 0
    present = _present(history, outputs, len(shares.of))
    if present is None:
        return 0, 0
    late = len(outputs.steps) // 2
    # NaN outputs predict no class.
    half = late + np.flatnonzero(np.isfinite(outputs.high[late:]).all(axis=1))
    named = _may_be_named(outputs, shares, configuration(history).from_logits)[half]
    rare = [index for index, share in enumerate(shares.of) if share < max(shares.of)]
    held, named = present[half][:, rare], named[:, rare]
    of, found = int(held.any(axis=1).sum()), int((held & named).any(axis=1).sum())
    return (0 if found > NAMED * of else of - found), of


def _present(history: RunHistory, outputs: Columns, classes: int) -> NDArray[np.bool_] | None:
    """Whether each record's batch contains each class, `[S, C]`; None if unknown."""
    targets, labels = columns_of(history, "target"), history.table("labels")
    if targets is None or len(targets.steps) != len(outputs.steps):
        return None
    if targets.count == 1 and classes == 2 and outputs.count == 1:
        return np.concatenate([targets.low == 0, targets.high == 1], axis=1)
    if targets.count == classes == outputs.count:
        return np.asarray(targets.high == 1)
    if labels is None or not labels.has("label_fraction") or outputs.count != classes:
        return None
    if not np.array_equal(labels.steps, outputs.steps):
        return None
    return np.asarray(labels.column("label_fraction") > 0)


def _may_be_named(outputs: Columns, shares: _Shares, logits: bool) -> NDArray[np.bool_]:
    """Whether some sample of each record may be predicted to be of each class, `[S, C]`.

    A sample predicts a class to which it gives a probability of at least 1/2, which is a logit of 0
    for two classes. With the logits of more, a class whose largest is below the smallest of the
    most frequent class is predicted for no sample.
    """
    if outputs.count == 1:
        even = 0.0 if logits else 0.5
        return np.concatenate([outputs.low < even, outputs.high >= even], axis=1)
    if not logits:
        return np.asarray(outputs.high >= 0.5)
    most = shares.of.index(max(shares.of))
    return np.asarray(outputs.high >= outputs.low[:, most : most + 1])


def _no_better_than_prior(history: RunHistory) -> bool:
    """Whether the loss is no better than that of predicting the class shares."""
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    return trajectory is not None and (baseline is None or trajectory.end > STUCK * baseline)


RULE = Rule(
    id="class-imbalance",
    kind="cause",
    title="One class dominates the data",
    needs=("feature_mean", "feature_std", "config"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "largest_class_share", high=SHARE,
            source="Always predicting that class is then right seven times out of eight.",
        ),
        Threshold(
            "prediction_std_ratio", low=REPEATS,
            source="Below this, the output is effectively constant.",
        ),
        Threshold(
            "distance_from_prior", low=NEARLY,
            source="Within this distance, the mean output equals the class shares.",
        ),
        Threshold(
            "samples", high=SAMPLES,
            source="With 100 samples, the standard error of a share of 10% is 3%.",
        ),
        Threshold(
            "target_places", high=POSITIONS,
            source="A target with this many positions counts as a sequence.",
        ),
        Threshold(
            "constant_places_share", high=PADDED,
            source="The remaining positions are then less than half of the loss.",
        ),
        Threshold(
            "loss_over_baseline", high=STUCK,
            source="The model has then learned nothing beyond the class shares.",
        ),
        Threshold(
            "batches_without_class", high=RECORDS, detail="a rare class",
            source="A single batch may miss the class by chance.",
        ),
        Threshold(
            "batches_with_class_found", low=NAMED, detail="a rare class",
            source="The model then finds a rare class in at most a tenth of these batches.",
        ),
        Threshold(
            "loss_over_baseline", high=LITTLE, detail="(at positions that are not padding)",
            source="The model has then learned little beyond the padding.",
        ),
    ),
    measures=(
        Measure(
            "distance_from_prior", "distance of the mean output from the class shares",
            ("feature_mean",),
        ),
        Measure("samples", "samples seen"),
        Measure("target_places", "positions of a target"),
        Measure(
            "constant_places_share", "share of the positions that never change", ("feature_std",),
            "fraction", kind="target",
        ),
        Measure(
            "largest_class_share", "share of the largest class", ("feature_mean",), "fraction",
            kind="target",
        ),
        Measure(
            "batches_without_class",
            "recorded batches with {detail} in which the model never predicts it",
        ),
        Measure(
            "batches_with_class_found",
            "part of the recorded batches with {detail} in which the model possibly predicts it",
            (), "fraction",
        ),
    ),
    shows=("feature_mean",),
    # The few samples of a rare class stand out: a batch that contains one is a spike.
    explains=("constant-output", "loss-not-decreasing", "underfitting", "loss-spike"),
    experiment="fit on balanced batches",
    falsified_by=(
        "The model finds the rare classes in validation (recall clearly above zero).",
        "Balanced batches do not improve the model on the rare classes.",
    ),
    false_alarms=(
        "Models often learn rare events well despite the imbalance. The finding is then only "
        "informational.",
    ),
    references=(
        "He & Garcia 2009, Learning from Imbalanced Data, IEEE TKDE",
        "Buda et al. 2018, arXiv:1710.05381",
    ),
)
