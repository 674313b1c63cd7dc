"""`check_data`: what is wrong with the data before any training, within a budget."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import counted
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.changes import scale_of
from tb_convergence.experiments.edits import layers_of
from tb_convergence.experiments.sample import DataError, Sample, gather
from tb_convergence.experiments.session import Settings, held_out_of, keep, made, subject
from tb_convergence.experiments.task import Task

WIDE: Final = 10.0
OUTLIER: Final = 20.0
"""Robust deviations from the median beyond which a value is an outlier: of a million values of a
normal distribution none is, of heavy tails few are."""
RARE: Final = 0.01
IMBALANCE: Final = 10.0
"""The commonest class over the rarest: beyond, a constant answer already scores well."""
MANY: Final = 0.01
"""Share of the samples from which duplicates are told."""
ORDERED_CHANCE: Final = 1e-6
NEIGHBORS: Final = 5
JUDGED: Final = 1000
"""Samples whose neighbors are looked for."""

LOOK_UP: Final = (keras.layers.IntegerLookup, keras.layers.StringLookup, keras.layers.Hashing,
                  keras.layers.TextVectorization, keras.layers.Discretization)
"""Layers that turn inputs into ids."""

Severity = Literal["critical", "warning", "info"]


@dataclass(frozen=True)
class Issue:
    """One problem in the data.

    Attributes:
        id: such as "constant-columns".
        severity: "critical" if it makes training impossible, "warning", or "info".
        where: the array.
        message: the observation, with numbers.
        advice: what to do.
        finding: the diagnosis that it confirms, or "".
    """

    id: str
    severity: Severity
    where: str
    message: str
    advice: str
    finding: str = ""


@dataclass(frozen=True)
class DataCheck:
    """The result of `check_data`.

    Attributes:
        issues: worst first.
        samples: number of samples that were checked.
        whole: whether these are all samples.
        checked: ids of the checks that ran, whatever they found.
    """

    issues: tuple[Issue, ...]
    samples: int
    whole: bool
    checked: tuple[str, ...]
    normalizers: tuple[Any, ...] = ()

    @property
    def summary(self) -> str:
        """One sentence."""
        samples = counted(self.samples, "sample")
        part = f"all {samples}" if self.whole else f"a subset of {samples}"
        if not self.issues:
            return f"No problem found in {part} ({counted(len(self.checked), 'check')})."
        first = self.issues[0]
        more = (f", and "
                f"{counted(len(self.issues) - 1, 'more problem')}" if len(self.issues) > 1 else "")
        return f"{first.where}: {first.message}{more} (in {part})."

    @property
    def verdicts(self) -> tuple[ExperimentVerdict, ...]:
        """Verdicts on diagnoses; a check without problems refutes its diagnosis."""
        found = {
            issue.finding: ExperimentVerdict(
                issue.finding, "confirmed", f"{issue.where}: {issue.message}."
            )
            for issue in reversed(self.issues) if issue.finding and issue.severity != "info"
        }
        for check, finding in REFUTES.items():
            if check in self.checked and finding not in found and not any(
                    issue.finding == finding for issue in self.issues):
                found[finding] = ExperimentVerdict(
                    finding, "refuted", f"The check of {self.samples} samples found no such "
                                        "problem.")
        return tuple(found.values())

    def __str__(self) -> str:
        lines = [f"Data: {self.summary}"]
        for issue in self.issues:
            lines += [f"  {issue.severity}: {issue.where}: {issue.message}",
                      f"      try: {issue.advice}"]
        return "\n".join(lines)

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        return ExperimentRecord("check_data", self.summary, self.verdicts, {
            "samples": self.samples, "whole": self.whole, "checked": list(self.checked),
            "issues": [{name: getattr(one, name) for name in (
                "id", "severity", "where", "message", "advice", "finding")}
                for one in self.issues],
        })

    def plot(self, ax: Any = None) -> Any:
        """Draw the number of issues by severity; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import axes  # noqa: PLC0415 - optional

        ax = axes(ax)
        names = ["critical", "warning", "info"]
        ax.bar(names, [sum(i.severity == name for i in self.issues) for name in names])
        ax.set_ylabel("issues")
        return ax


REFUTES: Final = {
    "finite": "non-finite-input", "scale": "unnormalized-input", "order": "unshuffled-batches",
    "balance": "class-imbalance", "target scale": "unscaled-target",
}


def check_data(
    x: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    model: Any = None,
    batch_size: int | None = None,
    settings: Settings | None = None,
) -> DataCheck:
    """Check the data for common problems.

    The checks cover values that are not finite, outliers, constant columns, scales, labels that do
    not fit the output, class imbalance, sample order, duplicates within and between training and
    validation data, misaligned inputs and labels, and token ids out of range. At most 20,000
    samples are read.

    Args:
        x, y, validation_data, batch_size: as for `fit`.
        model: a compiled model; if given, the checks also cover what it expects. It is not changed.
        settings: limits, progress, and the run's folder.

    Raises:
        ValueError: the data cannot be read.
    """
    settings = settings or Settings()
    sample = x if isinstance(x, Sample) else gather(x, y, batch_size=batch_size)
    held = held_out_of(validation_data)
    task: Task | None = None
    if model is not None:
        model = made(model)
        # A model that fails on these samples, such as on ids out of range, is what checks tell of.
        with suppress(DataError), subject(
                model, sample, settings=Settings(progress=False)) as found:
            task = found.task
    budget, issues, checked = Budget(settings.seconds), [], []
    for name, check in _checks(sample, held, model, task):
        if budget.spent:
            break
        issues += list(check)
        checked.append(name)
    issues.sort(key=lambda issue: ("critical", "warning", "info").index(issue.severity))
    result = DataCheck(tuple(issues), len(sample), sample.whole, tuple(checked),
                       tuple(_normalizers(sample)))
    keep(settings, lambda: result.record)
    return result


def _checks(sample: Sample, held: Sample | None, model: Any, task: Task | None
            ) -> Iterator[tuple[str, Iterator[Issue]]]:
    """Checks by name, cheapest first; each is made when it is iterated."""
    ids = model is not None and any(
        isinstance(layer, keras.layers.Embedding) for layer in layers_of(model))
    arrays = list(_arrays(sample))
    yield "finite", (issue for name, array in arrays
                     for issue in _finite(name, array, sample.origin))
    if not ids:
        inputs = [(name, array) for name, array in arrays if name.startswith("x")]
        yield "scale", (issue for name, array in inputs for issue in _scale(name, array))
        yield "constant", (issue for name, array in inputs for issue in _constant(name, array))
        yield "outliers", (issue for name, array in inputs for issue in _outliers(name, array))
        if held is not None:
            yield "validation scale", _other_scale(sample, held)
    else:
        yield "token ids", _tokens(sample, model)
    if sample.y is not None and len(tf.nest.flatten(sample.y)) == 1:
        target = np.asarray(tf.nest.flatten(sample.y)[0])
        if target.dtype.kind not in "fiub":
            yield "labels", _texts(target)
            yield "duplicates", _duplicates(sample, held)
            return
        yield "labels", _labels(target, task, model is not None)
        if task is not None and task.kind == "values":
            yield "target scale", _target_scale(target)
        classes = _classes(target)
        if classes is not None:
            yield "balance", _balance(classes)
            yield "order", _order(classes, sample)
            if not ids:
                yield "in step", _in_step(sample, classes)
    yield "duplicates", _duplicates(sample, held)


def _arrays(sample: Sample) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, part in (("x", sample.x), ("y", sample.y), ("weight", sample.weight)):
        leaves = [] if part is None else tf.nest.flatten(part)
        for place, array in enumerate(leaves):
            if array.dtype.kind in "fiu":
                yield name if len(leaves) == 1 else f"{name}[{place}]", array


def _finite(name: str, array: NDArray[Any], origin: Callable[[int], int]) -> Iterator[Issue]:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array)
    if bad.any():
        rows = np.flatnonzero(bad.reshape(len(array), -1).any(1))
        yield Issue(
            "non-finite", "critical", name,
            f"{int(bad.sum())} values are NaN or infinite, in {len(rows)} samples; the first is "
            f"sample {origin(int(rows[0]))}",
            "remove or fill them: x[numpy.isfinite(x).all(axis=1)]", "non-finite-input")


def _columns(array: NDArray[Any]) -> NDArray[np.float64]:
    """Features by the last axis `[M, F]`."""
    wide = array.reshape(-1, array.shape[-1]) if array.ndim > 1 else array.reshape(-1, 1)
    return np.asarray(wide, np.float64)


def _scale(name: str, array: NDArray[Any]) -> Iterator[Issue]:
    scale = scale_of(array)
    if scale is None:
        return
    std, mean = np.atleast_1d(scale.std), np.abs(np.atleast_1d(scale.mean))
    if std.max() > WIDE or mean.max() > WIDE:
        column = int(np.argmax(np.maximum(std, mean)))
        yield Issue(
            "scale", "warning", name,
            f"column {column} has mean {number(np.atleast_1d(scale.mean)[column])} and standard "
            f"deviation {number(std[column])}; networks expect about 0 and 1",
            "put the Normalization layer of this result before the model: check.normalizers[0]",
            "unnormalized-input")


def _constant(name: str, array: NDArray[Any]) -> Iterator[Issue]:
    columns = _columns(array)
    if len(columns) < 2:
        return
    constant = np.flatnonzero((columns == columns[0]).all(0))
    if len(constant) == columns.shape[1]:
        yield Issue("constant-columns", "critical", name, "every sample is the same",
                    "check the code that reads the inputs", "")
    elif array.ndim == 2 and len(constant):
        yield Issue("constant-columns", "info", name,
                    f"{len(constant)} of {columns.shape[1]} columns are constant; the first is "
                    f"column {int(constant[0])}", "remove them; they carry no information", "")


def _outliers(name: str, array: NDArray[Any]) -> Iterator[Issue]:
    columns = _columns(array)
    median = np.nanmedian(columns, 0)
    quartiles = np.nanpercentile(columns, (25, 75), axis=0)
    spread = (quartiles[1] - quartiles[0]) / 1.349  # of a normal distribution: its deviation
    with np.errstate(all="ignore"):
        far = np.abs(columns - median) > OUTLIER * spread
    far &= spread > 0
    share = far.mean(0)
    worst = int(np.argmax(share))
    if 0 < share[worst] < RARE:
        row = int(np.argmax(np.where(far[:, worst], np.abs(columns[:, worst] - median[worst]), 0)))
        yield Issue(
            "outliers", "warning", name,
            f"{int(far[:, worst].sum())} values of column {worst} are more than "
            f"{number(OUTLIER, 6)} robust standard deviations from the median; the largest is "
            f"{number(columns[row, worst])}",
            "clip them, or take the logarithm of this column", "")


def _other_scale(sample: Sample, held: Sample) -> Iterator[Issue]:
    every, others = tf.nest.flatten(sample.x), tf.nest.flatten(held.x)
    if len(every) != len(others):
        yield Issue("validation-structure", "critical", "validation",
                    f"the training data have {counted(len(every), 'input')}, the validation data "
                    f"{len(others)}", "give both the same inputs", "")
        return
    for ours, theirs in zip(every, others, strict=True):
        one, other = scale_of(np.asarray(ours)), scale_of(np.asarray(theirs))
        if one is None or other is None or np.shape(one.std) != np.shape(other.std):
            continue
        ratio = float(np.median(other.std) / max(1e-30, float(np.median(one.std))))
        if not 1 / WIDE < ratio < WIDE:
            yield Issue(
                "validation-scale", "critical", "validation",
                f"the inputs have {number(ratio)} times the standard deviation of the training "
                "inputs",
                "preprocess both in the same way", "unnormalized-input")


def _tokens(sample: Sample, model: Any) -> Iterator[Issue]:
    for where, array, rows in _embedded(sample, model):
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= rows:
            yield Issue("token-ids", "critical", where,
                        f"token ids from {low} to {high}, but the embedding has {rows} rows",
                        f"Embedding(input_dim={high + 1}, ...)", "index-out-of-range")


def _embedded(sample: Sample, model: Any) -> Iterator[tuple[str, NDArray[Any], int]]:
    """(name, whole numbers, rows) of each input that goes straight to an embedding.

    Other whole numbers, such as ages, and ids that a layer looks up or hashes, may be larger.
    """
    found = [one for one in layers_of(model) if isinstance(one, keras.layers.Embedding)]
    leaves = tf.nest.flatten(sample.x)
    if len(leaves) == 1:
        if leaves[0].dtype.kind in "iu" and not any(
                isinstance(one, LOOK_UP) for one in layers_of(model)):
            yield "x", leaves[0], max(one.input_dim for one in found)
        return
    inputs = keras.tree.flatten(getattr(model, "inputs", None) or ())
    names = [tensor.name for tensor in inputs]
    named = sample.x if isinstance(sample.x, Mapping) else dict(zip(names, leaves, strict=False))
    for layer in found:
        with suppress(AttributeError, ValueError):  # of a layer that is used twice, or in a class
            source = layer.input
            for tensor in inputs:
                array = named.get(tensor.name)
                if tensor is source and array is not None and array.dtype.kind in "iu":
                    yield f"x[{tensor.name!r}]", array, layer.input_dim


def _texts(target: NDArray[Any]) -> Iterator[Issue]:
    """Targets that are no numbers."""
    kinds = np.unique(target.astype(str))
    yield Issue("text-labels", "critical", "y",
                f"the targets are not numbers (dtype {target.dtype}), with "
                f"{counted(len(kinds), 'different value')}",
                "number the classes: numpy.unique(y, return_inverse=True)[1]", "")


def _labels(target: NDArray[Any], task: Task | None, with_model: bool) -> Iterator[Issue]:
    """Labels against the output of the model."""
    values = np.unique(target[np.isfinite(target)] if target.dtype.kind == "f" else target)
    if len(values) == 1:
        yield Issue("one-label", "critical", "y", f"every target is {number(values[0], 6)}",
                    "check the code that reads the targets", "wrong-labels")
    steps = np.diff(values)
    divided = (len(values) > 1 and target.dtype.kind == "f" and values[0] == 0
               and values[-1] < 0.5 and len(values) <= 1000
               and np.allclose(steps / steps.min(), np.round(steps / steps.min()), atol=1e-3)
               and abs(1 / steps.min() - round(1 / steps.min())) < 1e-2)
    # Fractions are right for a single output; of several they are neither classes nor values.
    if divided and with_model and (task is None or task.outputs > 1):
        by = round(1 / float(steps.min()))
        yield Issue("labels-divided", "critical", "y",
                    f"the targets are multiples of 1/{by}, so class numbers were divided by {by}",
                    f"undo the scaling: y * {by}", "wrong-labels")
    if task is None or task.kind != "classes" or not task.sparse:
        return
    if values[-1] >= task.outputs or values[0] < 0:
        yield Issue("labels-out-of-range", "critical", "y",
                    f"classes from {number(values[0], 6)} to {number(values[-1], 6)}, but the "
                    f"output has {counted(task.outputs, 'unit')}",
                    "number the classes from 0, and give the output one unit per class",
                    "wrong-labels")


def _target_scale(target: NDArray[Any]) -> Iterator[Issue]:
    scale = scale_of(target)
    if scale is None:
        return
    std, mean = float(np.max(scale.std)), float(np.max(np.abs(scale.mean)))
    if std > WIDE or mean > WIDE * max(1.0, std):
        yield Issue("target-scale", "warning", "y",
                    f"the targets have mean {number(mean)} and standard deviation {number(std)}; "
                    "outputs start near 0",
                    "standardize them: (y - y.mean(0)) / y.std(0)", "unscaled-target")


def _classes(target: NDArray[Any]) -> NDArray[np.int64] | None:
    """Class of each sample `[N]`; None if targets are no classes."""
    if target.ndim == 2 and target.shape[1] > 1:
        if np.isin(target, (0, 1)).all() and (target.sum(1) == 1).all():
            return np.asarray(target.argmax(1), np.int64)
        return None
    flat = target.reshape(len(target), -1)
    if flat.shape[1] != 1 or not np.all(flat == np.round(flat)):
        return None
    classes = flat[:, 0].astype(np.int64)
    return classes if 2 <= len(np.unique(classes)) <= max(2, len(classes) // 10) else None


def _balance(classes: NDArray[np.int64]) -> Iterator[Issue]:
    values, counts = np.unique(classes, return_counts=True)
    if counts.max() > IMBALANCE * counts.min():
        yield Issue(
            "imbalance", "warning", "y",
            f"class {values[counts.argmax()]} has {counts.max()} samples, class "
            f"{values[counts.argmin()]} has {counts.min()}",
            "use fit(class_weight={...}), or sample the rare classes more often; judge the model "
            "by balanced accuracy",
            "class-imbalance")


def _order(classes: NDArray[np.int64], sample: Sample) -> Iterator[Issue]:
    """Whether neighbors have the same class more often than in a random order."""
    if sample.shuffled and sample.whole:
        return  # `fit` shuffles arrays
    _, counts = np.unique(classes, return_counts=True)
    share = float(np.sum((counts / counts.sum()) ** 2))
    same, pairs = int(np.sum(classes[1:] == classes[:-1])), len(classes) - 1
    error = np.sqrt(max(share * (1 - share), 1e-12) * pairs)
    if pairs > 20 and same > pairs * share + 5 * error and same > 0.5 * pairs:
        yield Issue("ordered", "warning", "y",
                    f"{percent(same / pairs)} of consecutive samples have the same class; in "
                    f"random order it would be {percent(share)}",
                    "shuffle before batching: dataset.shuffle(number of samples).batch(...)",
                    "unshuffled-batches")


def _in_step(sample: Sample, classes: NDArray[np.int64]) -> Iterator[Issue]:
    """Whether the nearest neighbors of a sample share its class more often than chance.

    That they do not is no proof: classes may be told by what no distance shows.
    """
    leaves = [a for a in tf.nest.flatten(sample.x) if a.dtype.kind in "fiu"]
    if len(leaves) != 1 or len(classes) < 100:
        return
    flat = leaves[0].reshape(len(leaves[0]), -1)[: 4 * JUDGED].astype(np.float32)
    scale = scale_of(flat)
    if scale is None or not np.isfinite(flat).all():
        return
    flat = (flat - scale.mean) / scale.std
    known = classes[: len(flat)]
    asked = flat[:JUDGED]
    distance = (asked**2).sum(1)[:, None] - 2 * asked @ flat.T + (flat**2).sum(1)[None]
    distance[np.arange(len(asked)), np.arange(len(asked))] = np.inf
    near = np.argpartition(distance, NEIGHBORS, axis=1)[:, :NEIGHBORS]
    agree = float(np.mean(known[near] == known[:len(asked), None]))
    _, counts = np.unique(known, return_counts=True)
    chance = float(np.sum((counts / counts.sum()) ** 2))
    error = np.sqrt(chance * (1 - chance) / len(asked))
    if agree < chance + 2 * error:
        yield Issue(
            "out-of-step", "info", "x and y",
            f"{percent(agree)} of nearest neighbors share a class; by chance it would be "
            f"{percent(chance)}. Inputs and labels may be misaligned",
            "inspect some pairs; shuffle inputs and labels with the same "
            "permutation", "wrong-labels")


def _duplicates(sample: Sample, held: Sample | None) -> Iterator[Issue]:
    ours = _digests(sample)
    extra = len(ours) - len(set(ours))
    if extra > MANY * len(ours):
        yield Issue("duplicates", "info", "x", f"{extra} of {len(ours)} samples are duplicates",
                    "remove them, or keep all copies in the same split", "")
    if held is not None:
        theirs = _digests(held)
        shared = sum(one in set(ours) for one in set(theirs))
        if shared > MANY * len(theirs):
            yield Issue("leak", "warning", "validation",
                        f"{shared} of {len(theirs)} validation samples are in the training data",
                        "split the data before you duplicate samples; these samples measure "
                        "memorization", "")


def _digests(sample: Sample) -> list[bytes]:
    # Of texts as objects the bytes are addresses.
    arrays = [np.ascontiguousarray(a.astype(str) if a.dtype.kind == "O" else a).reshape(
        len(sample), -1) for a in tf.nest.flatten(sample.x)]
    return [
        hashlib.blake2b(b"".join(array[row].tobytes() for array in arrays), digest_size=16).digest()
        for row in range(len(sample))
    ]


def _normalizers(sample: Sample) -> Iterator[Any]:
    """A Keras layer for each array of inputs that gives it mean 0 and deviation 1."""
    for array in tf.nest.flatten(sample.x):
        scale = scale_of(np.asarray(array))
        if scale is not None and array.dtype.kind == "f":
            yield keras.layers.Normalization(
                axis=-1 if array.ndim > 1 else None, mean=scale.mean,
                variance=np.square(scale.std))
