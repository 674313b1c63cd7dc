"""`label_errors`: which labels look wrong, by predictions of models that did not see them.

Confident learning (Northcutt et al. 2021, arXiv:1911.00068), as cleanlab implements it, decides how
many labels are wrong and which: it compares each label with the prediction of a model that was
trained on the other folds. They are ranked by the area under the margin (Pleiss et al. 2020,
arXiv:2001.10528): how far the label's own score lies above the highest other one, averaged over the
epochs of one normal training. A wrong label is learned last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.experiments import ExperimentRecord
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.experiments import initial, optimizers
from tb_convergence.experiments.budget import Ended
from tb_convergence.experiments.sample import DataError, order_of
from tb_convergence.experiments.session import Settings, Subject, keep, subject
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.experiments.stepping import Runner, seed_everything
from tb_convergence.experiments.task import Task, classes_of
from tb_convergence.experiments.trials import assign
from tb_convergence.training.keras import compat

FOLDS: Final = 5
EPOCHS: Final = 15
SHOWN: Final = 20
"""Samples that the text and the log name, the most suspicious first."""
NEEDED: Final = 'label_errors needs cleanlab: pip install "tensorboard-plugin-convergence[labels]"'


@dataclass(frozen=True)
class Suspect:
    """A sample whose label looks wrong.

    Attributes:
        row: index of the sample, from 0.
        label, predicted: class numbers.
        confidence: probability of the label according to models that did not train on the sample.
        margin: area under the margin; negative if the models usually prefer another class.
    """

    row: int
    label: int
    predicted: int
    confidence: float
    margin: float


@dataclass(frozen=True)
class LabelErrors:
    """The result of `label_errors`.

    Attributes:
        suspects: lowest margin first.
        samples: number of samples that were checked.
        accuracy: accuracy of the out-of-fold predictions. If it is low, the labels cannot be
            checked.
        ended: how the experiment ended; there are suspects only if it finished.
    """

    suspects: tuple[Suspect, ...]
    samples: int
    accuracy: float
    baseline: float
    ended: Ended = "finished"
    step: int = 0
    model: str = "model"

    @property
    def summary(self) -> str:
        """One or two sentences."""
        if self.ended != "finished":
            return f"The check of the labels did not finish ({self.ended})."
        if self.accuracy <= self.baseline:
            return ("The labels cannot be checked: a model trained on the other folds is no more "
                    f"accurate ({number(self.accuracy, 2)}) than always predicting the most common "
                    "class.")
        if not self.suspects:
            return f"None of the {self.samples} labels looks wrong."
        share = len(self.suspects) / self.samples
        rows = ", ".join(str(one.row) for one in self.suspects[:SHOWN])
        more = "" if len(self.suspects) <= SHOWN else f" and {len(self.suspects) - SHOWN} more"
        return (f"{len(self.suspects)} of {self.samples} labels ({percent(share)}) look wrong: "
                f"samples {rows}{more}.")

    def __str__(self) -> str:
        lines = [f"Labels of {self.model}: {self.summary}"]
        lines += [f"  sample {one.row}: labeled {one.label}, predicted {one.predicted} "
                  f"(probability of its label {number(one.confidence, 2)}, margin "
                  f"{number(one.margin, 2)})"
                  for one in self.suspects[:SHOWN]]
        return "\n".join(lines)

    @property
    def record(self) -> ExperimentRecord:
        """For the log: a data check of its own, with one issue where labels look wrong."""
        issues = [] if not self.suspects else [{
            "id": "label-errors", "severity": "warning", "where": "y", "message": self.summary,
            "advice": "inspect these samples; correct their labels or remove them",
            "finding": ""}]
        return ExperimentRecord("check_data", self.summary, (), {
            "samples": self.samples, "whole": True,
            "checked": ["label errors"] if self.ended == "finished" else [],
            "issues": issues, "accuracy": self.accuracy,
            "suspects": [{"row": one.row, "label": one.label, "predicted": one.predicted,
                          "confidence": one.confidence, "margin": one.margin}
                         for one in self.suspects[:SHOWN]],
        }, self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw margin over confidence of the suspects; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import axes  # noqa: PLC0415 - optional

        ax = axes(ax)
        ax.plot([one.confidence for one in self.suspects], [one.margin for one in self.suspects],
                "o", color="tab:red")
        ax.set_xlabel("probability of the label, from other folds")
        ax.set_ylabel("area under the margin")
        return ax


def label_errors(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = EPOCHS,
    folds: int = FOLDS,
    settings: Settings | None = None,
) -> LabelErrors:
    """Find labels that look wrong, by training on the other samples.

    Afterward the model, its optimizer, and all random states are bit for bit what they were.

    Args:
        model: a compiled classifier, or a function that builds one. It must be able to learn: a
            model that learns nothing says nothing about the labels.
        x, y, batch_size: as for `fit`; at most 20,000 samples are used.
        epochs: epochs of each training; there are `folds` + 1 trainings.
        folds: number of parts; each is predicted by a model that trained on the others.
        settings: limits, progress, and the run's folder.

    Raises:
        ImportError: cleanlab is not installed.
        ValueError: the model or data cannot be used, or the task is not classification.
    """
    try:
        from cleanlab.filter import find_label_issues  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ImportError(NEEDED) from error
    settings = settings or Settings()
    with subject(model, x, y, batch_size=batch_size, settings=settings) as found:
        task = found.task
        if found.step > 0:
            raise DataError(
                f"the model has trained for {found.step} steps, perhaps on these very labels, "
                "which it would then defend: give a function that builds it")
        if task is None or task.kind != "classes":
            raise DataError("label_errors needs targets that are classes; these targets are "
                            f"{'of unknown kind' if task is None else task.kind}")
        labels = classes_of(np.asarray(found.sample.y), task)
        if folds < 2 or int(np.bincount(labels)[np.unique(labels)].min()) < folds:
            raise DataError(f"folds is {folds}: expected 2 or more, and that many samples of each "
                            "class")
        result = _judged(found, task, labels, epochs, folds, find_label_issues)
    keep(settings, lambda: result.record)
    return result


def _judged(found: Subject, task: Task, labels: NDArray[np.int64], epochs: int, folds: int,
            find: Any) -> LabelErrors:
    trainer = _Trainer(found, task, epochs, folds + 1)
    try:
        outside = np.zeros((len(labels), task.outputs))
        part = _parts(labels, folds)
        for fold in range(folds):
            outside[part == fold] = trainer.run(np.flatnonzero(part != fold))[0][part == fold]
        _, margins = trainer.run(np.arange(len(labels)), labels)
    except KeyboardInterrupt:
        return _nothing(found, task, len(labels), "interrupted")
    finally:
        trainer.restore()
    if found.budget.spent:
        return _nothing(found, task, len(labels), "out of time")
    accuracy = float(np.mean(outside.argmax(1) == labels))
    rows = np.zeros(0, np.int64)
    if accuracy > task.baseline:
        rows = np.asarray(find(labels, outside, return_indices_ranked_by="self_confidence",
                               n_jobs=1), np.int64)
    rows = rows[np.argsort(margins[rows], kind="stable")]
    suspects = tuple(
        Suspect(found.sample.origin(int(row)), int(labels[row]), int(outside[row].argmax()),
                float(outside[row, labels[row]]), float(margins[row])) for row in rows)
    return LabelErrors(suspects, len(labels), accuracy, task.baseline, "finished", found.step,
                       found.model.name)


def _nothing(found: Subject, task: Task, samples: int, ended: Ended) -> LabelErrors:
    return LabelErrors((), samples, float("nan"), task.baseline, ended, found.step,
                       found.model.name)


def _parts(labels: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Fold of each sample `[N]`, every class spread evenly over the folds."""
    order = np.argsort(labels + np.random.default_rng(0).uniform(0, 0.5, len(labels)))
    part = np.zeros(len(labels), np.int64)
    part[order] = np.arange(len(labels)) % folds
    return part


class _Trainer:
    """Trainings of the model on parts of the samples, each from new weights; traced once."""

    def __init__(self, found: Subject, task: Task, epochs: int, trainings: int) -> None:
        self._found, self._task, self._epochs = found, task, epochs
        self._planned, self._done = epochs * trainings, 0
        self._variables = all_variables(found.model)
        self._begin = values_of(self._variables)
        self._own = found.model.optimizer
        compat.set_untracked(found.model, "optimizer", optimizers.twin(self._own))
        found.model.optimizer.build(found.model.trainable_variables)
        self._slots = values_of(found.model.optimizer.variables)
        self._runner = Runner(found.model, found.sample)

    def run(self, rows: NDArray[np.intp], labels: NDArray[np.int64] | None = None
            ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probabilities `[N, C]` of all samples after a training on `rows`; with `labels` also
        the mean margin `[N]` of each over the epochs, else zeros."""
        model, seed = self._found.model, self._done
        assign(self._variables, self._begin)
        assign(model.optimizer.variables, self._slots)
        initial.redraw(model, seed + 1)
        initial.reseed(model, seed)
        seed_everything(seed)
        size = min(self._found.sample.batch_size, len(rows))
        per_epoch = len(rows) // size
        margins = np.zeros(len(self._found.sample))
        for epoch in range(self._epochs):
            order = rows[order_of(len(rows), size, per_epoch, seed * self._epochs + epoch)]
            self._runner.train(order.astype(np.int64), None, self._found.budget.part())
            if labels is not None:
                margins += _margins(self._outputs(), labels) / self._epochs
            self._done += 1
            self._found.progress(min(self._done, self._planned - 1), self._planned, "labels")
            if self._found.budget.spent:
                break
        return _probabilities(self._outputs()), margins

    def _outputs(self) -> NDArray[np.float64]:
        return np.asarray(self._runner.predict(), np.float64).reshape(-1, self._task.outputs)

    def restore(self) -> None:
        """The model as it was."""
        compat.set_untracked(self._found.model, "optimizer", self._own)
        assign(self._variables, self._begin)
        self._found.progress(self._planned, self._planned, "")


def _margins(outputs: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score of the label less the highest other one, `[N]`."""
    rows = np.arange(len(labels))
    others = outputs.copy()
    others[rows, labels] = -np.inf
    return np.asarray(outputs[rows, labels] - others.max(1))


def _probabilities(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax of logits; what sums to 1 already is left as it is.

    >>> _probabilities(np.array([[0.25, 0.75]]))
    array([[0.25, 0.75]])
    >>> _probabilities(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """
    if outputs.min() >= 0 and np.allclose(outputs.sum(1), 1.0, atol=1e-3):
        return outputs
    raised = np.exp(outputs - outputs.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))
