"""Features are on a large or a tiny scale, or on very different scales.

Gradients of the first layer grow with its inputs, so no single learning rate suits features of
scale 1 and of scale 1,000. The rule combines the statistics of all batches (law of total variance),
so the scale is that of the data seen, not of one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    LOOKUP,
    NORMALIZING,
    Configuration,
    Layer,
    configuration,
)
from tb_convergence.core.diagnosis.data import LARGE_INPUT, feature_scales, features_in
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.frozen_base import base_output, frozen_base
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.tiny_inputs import SPARSE, TINY, tiny_input
from tb_convergence.core.diagnosis.training_progress import SOLVED, learns, solved
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import listed

LARGE: Final = LARGE_INPUT
VERY_LARGE: Final = 100.0
STD_RATIO: Final = 100.0
SQUEEZED: Final = 1e-3
_ROUNDING: Final = 1e-7
"""Part of the usual spread below which float32 cannot tell a constant from a feature that varies.
"""
STILL: Final = 0.05
PREPARE: Final = (
    "Prepare the input as the frozen base expects it. Use its own preprocess_input (some expect "
    "pixels from 0 to 255, some from -1 to 1, some with the ImageNet mean subtracted), or "
    "Rescaling(1/255) for your own base that was trained on pixels in [0, 1]."
)


def _readers(name: str, model: Configuration) -> list[Layer]:
    """The layers that read the input `name`."""
    readers = [layer for layer in model.layers if name in (layer.inputs or ())]
    # The first layer reads a single input, or one that no layer names.
    return readers or [layer for layer in model.layers if layer.kind != "InputLayer"][:1]


def _scaled_already(name: str, model: Configuration) -> bool:
    """Whether the input `name` needs no scaling by the user.

    The model normalizes it itself, uses it as an index, or passes it to a frozen base that was
    trained on a scale of its own.
    """
    readers = _readers(name, model)
    return bool(readers) and all(
        layer.kind in NORMALIZING | LOOKUP or (layer.trainable is False and layer.parameters)
        for layer in readers
    )


def judged(history: RunHistory, table: Table) -> list[int]:
    """Rows of `table` that are features as the model's own layers receive them."""
    model = configuration(history)
    return [
        row for row in table.rows_of("input")
        if not _scaled_already(table.rows[row].layer, model)
    ]


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    return strongest(
        _by_scale(history), _frozen_base(history), _large_base(history), _squeezed(history),
        _tiny(history),
    )


def _tiny(history: RunHistory) -> Match | None:
    """Inputs that are nearly zero, in a run that learns little."""
    table = history.table("inputs")
    if table is None or learns(history):
        return None
    found = tiny_input(history, judged(history, table))
    if found is None:
        return None
    if found.scaling:
        what = f"What {found.scaling} passes to {found.layer} has an RMS of about"
        names: tuple[str, ...] = (found.scaling, found.layer)
    else:
        what = "Even the largest input feature has an RMS of"
        names = tuple(dict.fromkeys(table.rows[row].name for row in judged(history, table)))
    return Match(
        "warning", 0.75,
        f"{what} {number(found.rms)}, while about 1 is healthy. The gradient of the first layer is "
        "as small as its input, so the layer hardly learns.",
        0, max(0, history.last_step), names,
        (Evidence("tiny_input_rms", found.rms, TINY, None, names[0], side="less than"),),
        (
            f"Scale the input once: remove {found.scaling}, or the division in the data pipeline."
            if found.scaling else
            "Scale the input once: check whether it was divided twice (such as / 255 in the loader "
            "and again in the model), or standardize every feature to mean 0 and standard "
            "deviation 1.",
            "Print the mean and the standard deviation of one batch as the first layer receives "
            "it.",
        ),
        title="The input is nearly zero",
        explains=("learning-rate-too-low", "wrong-labels", "insufficient-capacity",
                  "too-few-steps"),
    )


def _large_base(history: RunHistory) -> Match | None:
    """A frozen base whose output is on a large scale.

    The base itself is not judged by the scale of its input. Its output is the input of the trained
    layers, and is judged like any input.
    """
    found, base = base_output(history), frozen_base(history)
    if found is None or found.size <= LARGE or learns(history):
        return None
    fed = _input_scale(history)
    large = fed is not None and float(np.max(np.hypot(*fed))) > LARGE
    cause = (
        ": the base probably gets its input on another scale than it was trained "
        "on" + _input_scale_text(fed) if large else ""
    )
    behind = (
        "Standardize the output of the base: put BatchNormalization() or LayerNormalization() "
        f"between {found.layer} and the trained layers."
    )
    return Match(
        "critical" if found.size > VERY_LARGE or large else "warning",
        0.9 if large else 0.7,
        f"The output of the frozen layers (up to {found.layer}) has an RMS of "
        f"{number(found.size)}, while about 1 is healthy{cause}. The layers after them receive it "
        "as their input.",
        0, max(0, history.last_step), (found.layer,),
        (
            Evidence("base_output_rms", found.size, LARGE, found.step, found.layer),
            Evidence("layer_count", float(len(base)),
                     detail="frozen layers before the first trained one"),
        ),
        (PREPARE, behind) if large else (behind, PREPARE),
        title="A frozen base outputs large values",
    )


def _input_scale(history: RunHistory) -> tuple[Values, Values] | None:
    """Mean and standard deviation of each input feature; None if they were not recorded."""
    table = history.table("inputs")
    if table is None or not (table.has("feature_mean") and table.has("feature_std")):
        return None
    rows = table.rows_of("input")
    return feature_scales(table, rows) if rows else None


def _input_scale_text(fed: tuple[Values, Values] | None) -> str:
    """The scale of the input of a base, in parentheses; "" if it is not known."""
    if fed is None:
        return ""
    mean, std = fed
    return (
        f" (its input has a mean of {number(float(np.mean(mean)))} and a standard "
        f"deviation of {number(float(np.sqrt(np.mean(std**2))))})"
    )


def _frozen_base(history: RunHistory) -> Match | None:
    """A frozen base whose features hardly vary between samples: it was trained on other data."""
    found, base = base_output(history), frozen_base(history)
    if found is None or found.varies >= STILL or learns(history):
        return None
    return Match(
        "warning", 0.8,
        f"The output of the frozen layers (up to {found.layer}) varies between samples by only "
        f"{percent(found.varies)} of its size, so the layers after it have nothing to learn from. "
        "The frozen base probably gets its input on another scale than it was trained on"
        f"{_input_scale_text(_input_scale(history))}.",
        0, max(0, history.last_step), (found.layer,),
        (
            Evidence("output_std_over_size", found.varies,
                     STILL, found.step, found.layer),
            Evidence("layer_count", float(len(base)),
                     detail="frozen layers before the first trained one"),
        ),
        (
            PREPARE,
            "If no preprocessing fits, unfreeze the base or train it on data like yours.",
        ),
        title="A frozen base gets the wrong input scale",
        explains=("wrong-labels", "insufficient-capacity", "learning-rate-too-low",
                  "wrong-hidden-activation", "too-deep-without-skip"),
    )


def _by_scale(history: RunHistory) -> Match | None:
    table = history.table("inputs")
    if table is None or not table.has("feature_mean") or not table.has("feature_std"):
        return None
    rows = judged(history, table)
    if not rows:
        return None
    mean, std = feature_scales(table, rows)
    rms = np.hypot(mean, std)
    worst = int(np.argmax(rms))
    largest = float(rms[worst])
    varying = std[std > 0]
    std_ratio = float(std.max() / np.median(varying)) if len(varying) else 1.0
    uneven = std_ratio > STD_RATIO and std.max() > 3
    if largest <= LARGE and not uneven:
        return None
    big = [i for i in np.argsort(-rms).tolist() if rms[i] > LARGE] or [worst]
    name = table.rows[rows[worst]].name
    width = max(features_in(table.rows[row]) for row in rows)
    what = "features" if width == 1 else f"rows of up to {width} features"
    small = int(np.argmin(np.where(std > 0, rms, np.inf))) if len(varying) else worst
    only = len(rows) == 1 and width == 1
    spoken = f"{table.rows[rows[worst]].layer} (one feature)" if only else name
    text = f"The mean of {spoken} is {number(mean[worst])} and its standard deviation "
    text += number(std[worst])
    if uneven:
        text += f", but the standard deviation of {table.rows[rows[small]].name} is only "
        text += number(std[small])
    if largest > LARGE:
        text += (
            f"; its RMS, {number(largest)}, should be about 1." if only else
            f". Of {len(rows)} {what}, {len(big)} {'have' if len(big) > 1 else 'has'} an RMS above "
            f"{number(LARGE, 6)}."
        )
    else:
        text += "."
    behind = None if uneven else _normalized_behind(history, table.rows[rows[worst]].layer)
    good = solved(history) or behind is not None
    if behind is not None:
        text += f" {behind} normalizes what the first layer makes of it."
    elif good:
        text += " The run learns well nevertheless."
    still = [table.rows[rows[i]].name for i in big if std[i] == 0]
    offset = abs(mean[worst]) > std[worst]
    return Match(
        severity="info" if good else "critical" if largest > VERY_LARGE else "warning",
        confidence=min(0.95, 0.65 + 0.15 * float(np.log10(max(largest, std_ratio / 10) / LARGE))),
        summary=text,
        first_step=int(table.steps[0]),
        last_step=int(table.steps[-1]),
        layers=tuple(table.rows[rows[i]].name for i in big),
        evidence=(
            Evidence("largest_feature_rms", largest,
                     LARGE if largest > LARGE else None, None, name),
            # The part that is large, because the heat map shows it.
            Evidence("largest_feature_mean" if offset else "largest_feature_std",
                     float(mean[worst] if offset else std[worst]), None, None, name),
            *((Evidence("feature_std_ratio", std_ratio, STD_RATIO),)
              if uneven else ()),
        ),
        advice=(
            "Standardize "
            + ("it" if only else "every feature") + " to mean 0 and standard deviation 1"
            + ("" if only else f", {spoken} first")
            + ": keras.layers.Normalization(), adapt() on the training split only.",
            "Use the same statistics for validation data and at prediction time.",
            *((f"Leave out {', '.join(still[:3])}"
               + (f" and {len(still) - 3} more" if len(still) > 3 else "")
               + ": a constant feature carries no information.",) if still and not only else ()),
        ),
    )


def _normalized_behind(history: RunHistory, name: str) -> str | None:
    """The normalization right behind the linear first layer of an input; None without one.

    It takes out the scale that all features share, whatever the weights are.
    """
    model = configuration(history)
    readers = _readers(name, model)
    if len(readers) != 1 or readers[0].activation != "linear":
        return None
    behind = [layer for layer in model.layers if readers[0].name in (layer.inputs or ())]
    if len(behind) != 1 or behind[0].kind not in NORMALIZING - {"Normalization", "Rescaling"}:
        return None
    return behind[0].name if behind[0].moving_statistics != "initial" else None


def _squeezed(history: RunHistory) -> Match | None:
    """Features that hardly vary in a typical batch, beside others that do.

    That is what standardizing leaves of a column with an extreme outlier. A rare feature (a border
    pixel, a rare word) has a standard deviation of exactly 0 in most batches, and is left out.
    """
    table = history.table("inputs")
    if table is None or not table.has("feature_std") or learns(history):
        return None
    rows = judged(history, table)
    typical = np.median(table.column("feature_std")[:, rows].astype(np.float64), axis=0)
    varying = typical[typical > 0]
    if len(varying) < 2:
        return None
    usual = float(np.median(varying))
    small = np.flatnonzero((typical > _ROUNDING * usual) & (typical < SQUEEZED * usual))
    if not len(small):
        return None
    ratios = typical[small] / usual
    names = [table.rows[rows[index]].name for index in small]
    worst = int(np.argmin(ratios))
    largest = 0.0
    if table.has("feature_max"):
        largest = float(np.nanmax(np.abs(table.column("feature_max", "high")[:, rows][:, small])))
    outlier = largest > STD_RATIO * float(typical[small].max())
    several = len(names) > 1
    return Match(
        "warning", 0.85 if outlier else 0.7,
        f"In a typical batch, {listed(names)} {'vary' if several else 'varies'} by only "
        f"{number(typical[small][worst])}, while other features vary by {number(usual)}."
        + (f" The largest value is {number(largest)}, so an outlier has probably set the scale."
           if outlier else " The network hardly sees them."),
        int(table.steps[0]), int(table.steps[-1]), tuple(names),
        (Evidence("feature_std_share", float(ratios[worst]), SQUEEZED, None, names[worst]),),
        (
            f"Remove or clip the outliers of {listed(names)} (np.clip at the 1st and 99th "
            "percentile), and standardize again.",
            "Or scale by median and interquartile range (sklearn.preprocessing.RobustScaler).",
        ),
        title="Some features hardly vary",
        explains=("insufficient-capacity", "learning-rate-too-low", "wrong-labels",
                  "too-few-steps"),
    )


def _healthy(history: RunHistory, table: Table) -> Mapping[int, Range]:
    return dict.fromkeys(judged(history, table), (None, LARGE))


RULE = Rule(
    id="unnormalized-input",
    kind="cause",
    title="The input is not normalized",
    needs=("feature_mean", "feature_std"),
    evaluate=_evaluate,
    healthy=(Healthy("feature_rms", _healthy),),
    thresholds=(
        Threshold(
            "largest_feature_rms", high=LARGE,
            source=(
                "z-scores and data in [0, 1] or [-1, 1] all have an RMS of about 1. Ten times that "
                "multiplies the curvature of the loss in the first layer by a hundred (LeCun et "
                "al. 1998, 4.3)."
            ),
        ),
        Threshold(
            "largest_feature_rms", high=VERY_LARGE, detail="(critical)",
            source=(
                "Raw pixels, years and prices: the curvature is ten thousand times that of "
                "z-scores."
            ),
        ),
        Threshold(
            "feature_std_ratio", high=STD_RATIO,
            source="Judged only if the RMS of the largest feature is above 3.",
        ),
        Threshold(
            "feature_std_share", low=SQUEEZED, detail="(if the loss does not get low)",
            source=(
                "Gradients of a first layer are proportional to its inputs, so weights of such a "
                "feature learn a thousand times more slowly (LeCun et al. 1998, 4.3)."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=SOLVED, detail="(the scale does no harm)",
            source=(
                "Little is left to improve. The validation loss must be below twice that."
            ),
        ),
        Threshold(
            "tiny_input_rms", low=TINY, detail="(if the loss does not get low)",
            source=(
                "Gradients of a first layer are proportional to its inputs: with plain gradient "
                "descent, it learns 2,500 times more slowly than from z-scores (LeCun et al. 1998, "
                "4.3). Pixels divided by 255 twice are below 0.004."
            ),
        ),
        Threshold(
            "largest_feature_value", low=SPARSE, detail="(with a tiny RMS)",
            source=(
                "Ten standard deviations. Features that are small only on average are sparse: word "
                "counts, one-hot vectors."
            ),
        ),
        Threshold(
            "base_output_rms", high=LARGE,
            source=(
                "The output of a frozen base is the input of the trained layers, so the same limit "
                "applies."
            ),
        ),
        Threshold(
            "output_std_over_size", low=STILL,
            source="The features of a base that suits its input vary by about their own size.",
        ),
    ),
    measures=(
        Measure(
            "base_output_rms", "RMS of the output of a frozen base", ("activation_std",),
            reading=True,
        ),
        Measure(
            "output_std_over_size", "std of the frozen features over their size",
            ("activation_batch_std",), "fraction",
        ),
        Measure(
            "largest_feature_rms", "RMS of the largest feature", ("feature_rms",), reading=True,
            kind="input",
        ),
        Measure("tiny_input_rms", "RMS of what the first layer receives", ("feature_rms",)),
        Measure("largest_feature_value", "largest absolute value of a feature", ("feature_max",)),
        Measure(
            "largest_feature_mean", "mean of the largest feature", ("feature_mean",),
            reading=True, kind="input",
        ),
        Measure(
            "largest_feature_std", "std of the largest feature", ("feature_std",), reading=True,
            kind="input",
        ),
        Measure(
            "feature_std_share", "std in a typical batch over that of other features",
            ("feature_std",), kind="input",
        ),
        Measure(
            "feature_std_ratio", "largest std over the median std", ("feature_std",), kind="input",
        ),
    ),
    shows=("feature_rms", "feature_std"),
    explains=(
        "learning-rate-too-high", "dead-relu", "exploding-gradient", "non-finite-values",
        "loss-divergence", "loss-not-decreasing", "saturated-activation", "zero-gradient",
        "vanishing-gradient", "constant-output", "update-ratio-out-of-range", "loss-spike",
        "loss-oscillation", "underfitting",
    ),
    experiment="fit on standardized inputs",
    falsified_by=(
        "Training is no better after the same data is standardized.",
        "The model normalizes its input itself, in a way that its layers do not show.",
    ),
    false_alarms=(
        "Inputs that are indices (ids fed to a lookup inside a custom layer) have no scale.",
    ),
    references=("LeCun et al. 1998, Efficient BackProp", "Google, Rules of ML: data preparation"),
)
