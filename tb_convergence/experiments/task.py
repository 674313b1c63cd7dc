"""The task of a model, and a score that does not depend on its loss.

The losses of two programs are not comparable if their loss functions differ. So the score is the
accuracy for classes, and the explained share of the variance for values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.training.keras import compat

Kind = Literal["classes", "binary", "labels", "values"]


@dataclass(frozen=True)
class Task:
    """The task of a model: what it predicts.

    Attributes:
        kind: "classes" (one of C), "binary" (a single output for 0 or 1), "labels" (several of C
            at once), or "values".
        sparse: whether classes come as numbers and not one-hot.
        outputs: size of the last axis of the output.
        measure: "accuracy" or "R2".
        baseline: what a constant answer reaches on the training targets: the share of the
            commonest class, or 0 for values.
        cut: from which output on a binary answer is 1.
        floor: what a constant answer reaches at best on the samples that trainings are judged on;
            a score up to here shows nothing learned.
    """

    kind: Kind
    sparse: bool
    outputs: int
    measure: Literal["accuracy", "R2"]
    baseline: float
    cut: float = 0.5
    floor: float = 0.0

    def score(self, y: Any, predicted: Any) -> float:
        """The measure, higher is better: at most 1; NaN for outputs that are not finite."""
        target, output = _flat(y), np.asarray(predicted, np.float64)
        if not np.isfinite(output).all():
            return float("nan")
        if self.kind == "values":
            return _explained(target.reshape(len(target), -1), output.reshape(len(output), -1))
        if self.kind == "classes":
            chosen = output.reshape(-1, self.outputs).argmax(-1)
            return float(np.mean(chosen == classes_of(target, self)))
        answers = output.reshape(target.reshape(-1).shape) > self.cut
        return float(np.mean(answers == (target.reshape(-1) > 0.5)))

    def of(self, y: Any) -> Task:
        """The same task on other targets: their own commonest class is what is to be beaten."""
        if self.kind == "values":
            return self
        target = _flat(y)
        share = _commonest(classes_of(target, self) if self.kind == "classes"
                           else target.reshape(-1))
        return replace(self, baseline=share, floor=0.0)

    def against(self, *targets: Any) -> Task:
        """The same task, judged on these targets too: a constant answer is best on any of them."""
        if self.kind == "values":
            return self
        return replace(self, floor=max(self.of(y).baseline for y in targets))

    def constant(self, y: Any) -> bool:
        """Whether a constant answer is right for all of the targets `y`."""
        if self.kind == "values":
            target = _flat(y)
            return bool(np.all(target == target[:1]))
        return self.of(y).baseline >= 1.0

    def learned(self, score: float) -> float:
        """How much of what can be learned is: 0 for a constant answer, 1 for no error."""
        found = (score - self.baseline) / max(1e-9, 1.0 - self.baseline)
        return min(0.0, found) if score <= self.floor else found


def classes_of(target: NDArray[Any], task: Task) -> NDArray[np.int64]:
    """Class numbers `[M]`."""
    if task.sparse:
        return np.asarray(target.reshape(-1), np.int64)
    return np.asarray(target.reshape(-1, task.outputs).argmax(-1), np.int64)


def task_of(y: Any, predicted: Any, from_logits: bool = False) -> Task | None:
    """Infer the task from targets `y` and outputs `predicted`; None if this is not possible.

    None for several outputs, and for targets whose size fits no common task.
    """
    if y is None or len(tf.nest.flatten(y)) != 1 or len(tf.nest.flatten(predicted)) != 1:
        return None
    target, output = _flat(y), np.asarray(tf.nest.flatten(predicted)[0])
    if target.dtype.kind not in "fiub" or not target.size or output.ndim < 1:
        return None
    width = int(output.shape[-1]) if output.ndim > 1 else 1
    finite = target[np.isfinite(target)] if target.dtype.kind == "f" else target
    whole = finite.size > 0 and bool(np.all(finite == np.round(finite)))
    if width > 1 and target.size * width == output.size and whole and finite.min() >= 0:
        share = _commonest(target.reshape(-1))
        return Task("classes", True, width, "accuracy", share)
    if target.size != output.size:
        return None
    zeros_and_ones = finite.size > 0 and bool(np.isin(finite, (0, 1)).all())
    if zeros_and_ones and width > 1:
        rows = target.reshape(-1, width)
        if np.all(rows.sum(-1) == 1):
            return Task("classes", False, width, "accuracy", _commonest(rows.argmax(-1)))
        ones = float(np.mean(rows))
        return Task("labels", False, width, "accuracy", max(ones, 1 - ones),
                    0.0 if from_logits else 0.5)
    if zeros_and_ones:
        ones = float(np.mean(target))
        return Task("binary", True, 1, "accuracy", max(ones, 1 - ones),
                    0.0 if from_logits else 0.5)
    return Task("values", False, width, "R2", 0.0)


def from_logits(loss: Any) -> bool:
    """Whether a compiled loss takes logits."""
    return bool(getattr(loss, "from_logits", False)
                or compat.loss_settings(loss).get("from_logits", False))


def _flat(y: Any) -> NDArray[Any]:
    return np.asarray(tf.nest.flatten(y)[0])


def _commonest(classes: NDArray[Any]) -> float:
    _, counts = np.unique(classes, return_counts=True)
    return float(counts.max() / counts.sum())


def _explained(target: NDArray[Any], output: NDArray[Any]) -> float:
    """Mean over columns of 1 - residual / variance; columns that are constant have none."""
    target = target.astype(np.float64)
    variance = target.var(0)
    varies = variance > 0
    if not varies.any():
        return float("nan")
    residual = np.mean((target - output) ** 2, 0)
    return float(np.mean(1.0 - residual[varies] / variance[varies]))
