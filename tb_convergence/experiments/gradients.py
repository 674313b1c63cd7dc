"""`gradient_check`: gradients by layer with and without batch norm, and against differences.

Batch normalization keeps activations in range whatever the weights do, and so hides gradients that
vanish or explode beneath it. Finite differences tell whether a custom layer or loss has the
gradient that its values have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict, Outcome
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.experiments.edits import Edits, drop_batch_norm
from tb_convergence.experiments.session import Settings, Subject, first_rows, keep, subject

SAMPLES: Final = 64
CHECKED: Final = 6
"""Weights of each variable whose derivative is checked by differences: the largest gradients."""
STEP: Final = 1e-2
TOLERANCE: Final = 0.1
"""Relative error of a derivative: float32 and a step of 1e-2 leave a few percent; wrong ones are
off by far more."""
TROUBLE: Final = 1e-3
"""First over last layer, or the reverse: as for the diagnosis of vanishing gradients."""


@dataclass(frozen=True)
class LayerGradient:
    """The gradient of one trainable variable.

    Attributes:
        name: path of the variable.
        norm: gradient norm in the unchanged model; NaN if the loss does not depend on the variable.
        norm_without: gradient norm without batch normalization; NaN if the model has none.
        error: largest relative error against finite differences; NaN if none could be measured.
    """

    name: str
    norm: float
    norm_without: float
    error: float


@dataclass(frozen=True)
class GradientCheck:
    """The result of `gradient_check`; `layers` go from input to output."""

    layers: tuple[LayerGradient, ...]
    batch_norm: bool
    step: int = 0
    model: str = "model"

    @property
    def wrong(self) -> tuple[LayerGradient, ...]:
        """Variables whose gradient is not that of the loss."""
        return tuple(one for one in self.layers if one.error > TOLERANCE)

    @property
    def masked(self) -> bool:
        """Whether gradients fall or grow a thousandfold over depth only without batch norm."""
        return self.batch_norm and _troubled([one.norm_without for one in self.layers]) and (
            not _troubled([one.norm for one in self.layers]))

    @property
    def summary(self) -> str:
        """One or two sentences."""
        text = f"{len(self.layers)} variables"
        checked = [one.error for one in self.layers if np.isfinite(one.error)]
        if self.wrong:
            worst = max(self.wrong, key=lambda one: one.error)
            text += (f": the gradient of {worst.name} differs from finite differences by "
                     f"{percent(worst.error)}")
        elif checked:
            text += (f": gradients agree with finite differences (largest error "
                     f"{percent(max(checked))})")
        if self.masked:
            text += "; batch normalization hides gradients that change a thousandfold with depth"
        elif self.batch_norm:
            text += "; without batch normalization, gradients keep their order of magnitude"
        return text + "."

    @property
    def verdicts(self) -> tuple[ExperimentVerdict, ...]:
        """What follows for diagnoses."""
        if not self.batch_norm:
            return ()
        outcome: Outcome = "confirmed" if self.masked else "refuted"
        return (ExperimentVerdict("batch-norm-masks-gradients", outcome, self.summary),)

    def __str__(self) -> str:
        lines = [f"Gradients of {self.model}: {self.summary}"]
        for one in self.layers:
            without = f", without batch norm {number(one.norm_without)}" if self.batch_norm else ""
            error = f", error {percent(one.error)}" if np.isfinite(one.error) else ""
            lines.append(f"  {one.name}: {number(one.norm)}{without}{error}")
        return "\n".join(lines)

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        return ExperimentRecord("gradient_check", self.summary, self.verdicts, {
            "batch_norm": self.batch_norm, "tolerance": TOLERANCE,
            "layers": [{"name": one.name, "norm": one.norm, "norm_without": one.norm_without,
                        "error": one.error} for one in self.layers[:500]],
        }, self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw the norms from input to output; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import axes  # noqa: PLC0415 - optional

        ax = axes(ax)
        ax.semilogy([one.norm for one in self.layers], "o-", label="as it is")
        if self.batch_norm:
            ax.semilogy([one.norm_without for one in self.layers], "o--", label="no batch norm")
        ax.set_xlabel("variable, from input to output")
        ax.set_ylabel("gradient norm")
        ax.legend()
        return ax


def gradient_check(
    model: Any, x: Any, y: Any = None, *, sample_weight: Any = None,
    settings: Settings | None = None,
) -> GradientCheck:
    """Compare gradients with finite differences, and with those without batch normalization.

    The check uses one batch.

    Finite differences use inference mode, in which the loss depends only on the weights.

    Args:
        model: a compiled Keras model, or a function that builds one. It is not changed.
        x, y, sample_weight: as for `fit`; at most 64 samples are used.
        settings: limits, progress, and the run's folder.

    Raises:
        ValueError: the model or data cannot be used.
    """
    settings = settings or Settings()
    with subject(model, x, y, sample_weight=sample_weight, settings=settings,
                 most=4096) as found:
        result = _checked(found)
    keep(settings, lambda: result.record)
    return result


def _checked(found: Subject) -> GradientCheck:
    model = found.model
    rows = first_rows(found.sample, max(SAMPLES, 2))
    batch = tuple(None if part is None else tf.nest.map_structure(tf.convert_to_tensor, part)
                  for part in (rows.x, rows.y, rows.weight))
    variables = list(model.trainable_variables)
    norms = _norms(_gradients(model, batch, True), variables)
    with Edits() as edits:
        removed = drop_batch_norm(edits, model) > 0
        without = _norms(_gradients(model, batch, True), variables) if removed else {}
    errors = _errors(found, batch, variables)
    layers = tuple(
        LayerGradient(str(v.path), norms.get(id(v), np.nan), without.get(id(v), np.nan),
                      errors.get(id(v), np.nan)) for v in variables)
    return GradientCheck(layers, removed, found.step, model.name)


def _loss(model: Any, batch: Any, training: bool) -> Any:
    x, y, weight = batch
    return model.compute_loss(x=x, y=y, y_pred=model(x, training=training), sample_weight=weight,
                              training=training)


def _gradients(model: Any, batch: Any, training: bool) -> list[Any]:
    with tf.GradientTape() as tape:
        loss = _loss(model, batch, training)
    found = tape.gradient(loss, [v.value for v in model.trainable_variables])
    return [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in found]


def _norms(gradients: list[Any], variables: list[Any]) -> Mapping[int, float]:
    return {id(v): float(np.linalg.norm(np.asarray(g, np.float64)))
            for v, g in zip(variables, gradients, strict=True) if g is not None}


def _errors(found: Subject, batch: Any, variables: list[Any]) -> Mapping[int, float]:
    """Worst relative error of each variable's largest derivatives, by central differences."""
    model = found.model
    gradients = _gradients(model, batch, False)
    level = abs(float(_loss(model, batch, False)))
    errors: dict[int, float] = {}
    for place, (variable, gradient) in enumerate(zip(variables, gradients, strict=True)):
        found.progress(place, len(variables), "finite differences")
        if gradient is None or found.budget.spent or not _single(variable):
            continue
        begin = np.asarray(variable).copy()
        flat = np.asarray(gradient, np.float64).reshape(-1)
        worst = []
        for index in np.argsort(-np.abs(flat))[:CHECKED]:
            measured = _differences(model, batch, variable, begin, int(index))
            # Two steps that disagree: a kink lies between, or rounding hides the difference.
            if measured is None or abs(measured) * STEP < 1e-5 * max(level, 1e-3):
                continue
            worst.append(abs(measured - flat[index]) / max(abs(measured), abs(flat[index])))
        variable.assign(begin)
        if worst:
            errors[id(variable)] = float(np.median(worst))
    found.progress(len(variables), len(variables), "")
    return errors


def _single(variable: Any) -> bool:
    return str(variable.dtype) in ("float32", "float64")


def _differences(model: Any, batch: Any, variable: Any, begin: Any, index: int) -> float | None:
    """The derivative by the weight at `index`; None if two step sizes disagree."""
    size = STEP * max(0.1, float(np.abs(begin.reshape(-1)[index])))
    found = []
    for step in (size, size / 2):
        values = []
        for sign in (1.0, -1.0):
            moved = begin.copy()
            moved.reshape(-1)[index] += sign * step
            variable.assign(moved)
            values.append(float(_loss(model, batch, False)))
        found.append((values[0] - values[1]) / (2 * step))
    agree = abs(found[0] - found[1]) <= TOLERANCE / 2 * max(abs(found[0]), abs(found[1]))
    return found[1] if agree else None


def _troubled(norms: list[float]) -> bool:
    """Whether the norms of kernels change a thousandfold from end to end."""
    known = [norm for norm in norms if np.isfinite(norm) and norm > 0]
    if len(known) < 4:
        return False
    third = max(1, len(known) // 3)
    ratio = float(np.median(known[:third]) / np.median(known[-third:]))
    return not TROUBLE < ratio < 1 / TROUBLE
