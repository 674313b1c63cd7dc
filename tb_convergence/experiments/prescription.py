"""The doctor's result: findings, what was tried, what is proven, and what to write instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tb_convergence.core.diagnosis import Finding
from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import capital, counted
from tb_convergence.experiments.candidates import Candidate
from tb_convergence.experiments.changes import DROPOUT, PENALTY, STOPPING, Change
from tb_convergence.experiments.intervals import MATTERS, Difference
from tb_convergence.experiments.task import Task


@dataclass(frozen=True)
class Proof:
    """A comparison of a change with the unchanged program, over the same seeds.

    Attributes:
        changes: the changes, applied together.
        before, after: values of the unchanged and the changed program, one for each seed.
        steps: steps of each training.
        difference: paired difference.
        proven: whether the worst changed seed beats the best unchanged one, by a margin that
            matters.
        separate: whether the comparison used samples that the search did not use.
    """

    changes: tuple[Change, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    steps: int
    difference: Difference
    proven: bool
    separate: bool = False

    def sentence(self, task: Task | None) -> str:
        """The result of the proof, in a sentence."""
        measure = "loss" if task is None else task.measure
        sign = -1 if task is None else 1
        where = ", on samples that the search did not use" if self.separate else ""
        text = f"{capital(joined(self.changes))}, {measure} is {_values(self.after, sign)}"
        diverged = not any(map(math.isfinite, self.before))
        text += ("; the unchanged training diverges" if diverged
                 else f" instead of {_values(self.before, sign)}")
        return f"{text} ({self.steps} steps, {len(self.after)} seeds each{where})."


def best_proof(proofs: Sequence[Proof]) -> Proof | None:
    """The proven change that is best; of two that hardly differ the one made first, the simpler."""
    best: Proof | None = None
    for proof in proofs:
        if proof.proven and (best is None or _mean(proof.after) > _mean(best.after) + MATTERS):
            best = proof
    return best


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True)
class Prescription:
    """The result of `doctor`.

    Attributes:
        findings: findings of the recording.
        candidates: changes that were tried, and changes that were not, with reasons.
        proofs: in the order in which they were made, simpler changes first.
        unchanged: value of the short unchanged training; -inf if it diverged.
        task: what the model predicts; None if unknown.
        short_steps, planned_steps: steps of a short training, and of your training.
        seconds: total time.
        steps: all training steps, including the recording and its rehearsals.
        verdicts: what the result says about diagnoses.
        optimizer, rate_in_use: the program's optimizer and learning rate.
        diff: the proven change as a diff of your script; "" if there is none.
        restored: trainings that an earlier, interrupted run had made.
        measured: whether the unchanged program was trained at all; else `unchanged` is -inf.
        notes: how the trials differ from your training, such as by callbacks.
    """

    findings: tuple[Finding, ...]
    candidates: tuple[Candidate, ...]
    proofs: tuple[Proof, ...]
    unchanged: float
    task: Task | None
    short_steps: int
    planned_steps: int
    seconds: float
    verdicts: tuple[ExperimentVerdict, ...] = ()
    interrupted: bool = False
    step: int = 0
    model: str = "model"
    optimizer: str = ""
    rate_in_use: float = math.nan
    steps: int = 0
    diff: str = ""
    restored: int = 0
    measured: bool = True
    notes: tuple[str, ...] = ()

    @property
    def proven(self) -> Proof | None:
        """The proof of the change to make; None if nothing helped."""
        return best_proof(self.proofs)

    @property
    def summary(self) -> str:
        """The verdict in one or two sentences."""
        if self.proven is not None:
            return self.proven.sentence(self.task)
        if self.interrupted:
            return "Interrupted before a fix was proven."
        tried = sum(one.value is not None for one in self.candidates)
        if tried == 0:
            return ("The budget was too small to try a change." if self.measured else
                    "The budget ended before the unchanged program was trained: give it more "
                    "seconds or steps.")
        text = (f"Nothing helped: none of the {counted(tried, 'tried change')} is proven to be "
                "better.")
        if self.task is not None and self.task.learned(self.best_before) >= 0.9:
            text = ("Nothing to fix was found: the unchanged program reaches "
                    f"{self.task.measure} {number(self.best_before)}, and none of the "
                    f"{counted(tried, 'tried change')} is proven to be better.")
        return text

    @property
    def best_before(self) -> float:
        """The best value of the unchanged program."""
        return max([self.unchanged, *(v for proof in self.proofs for v in proof.before)])

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        sign = -1 if self.task is None else 1
        return ExperimentRecord("doctor", self.summary, self.verdicts, {
            "measure": "loss" if self.task is None else self.task.measure,
            "unchanged": sign * self.unchanged if self.measured else None,
            "short_steps": self.short_steps, "planned_steps": self.planned_steps,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "findings": [finding.id for finding in self.findings],
            "candidates": [
                {"id": one.change.id, "title": one.change.title, "because": list(one.because),
                 "value": None if one.value is None else sign * one.value,
                 "not_tried": one.not_tried} for one in self.candidates
            ],
            "proofs": [
                {"title": joined(proof.changes), "changes": [change.id for change in proof.changes],
                 "lines": change_lines(proof), "steps": proof.steps,
                 "separate": proof.separate,
                 "before": [sign * value for value in proof.before],
                 "after": [sign * value for value in proof.after], "proven": proof.proven,
                 "chosen": proof is self.proven}
                for proof in self.proofs
            ],
            **({"diff": self.diff} if self.diff else {}),
        }, self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw what was tried and what was proven, higher is better; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import draw_prescription  # noqa: PLC0415 - optional

        return draw_prescription(self, ax)

    def __str__(self) -> str:
        return "\n".join([f"Doctor, {self.model}: {self.summary}", *self.lines()])

    def lines(self) -> list[str]:
        """What was found, tried, and left out, one line each."""
        lines = [f"  found: {one.id} ({one.confidence:.2f}): {one.title}" for one in self.findings]
        unchanged = _value(self.unchanged, self.task) if self.measured else "not measured"
        lines.append(f"  {self.short_steps} steps unchanged: {unchanged}")
        for one in sorted(self.candidates, key=_order):
            why = f" [{', '.join(one.because)}]" if one.because else ""
            if one.value is not None:
                value = _value(one.value, self.task)
                lines.append(f"  {self.short_steps} steps {one.change.title}: {value}{why}")
        for proof in self.proofs:
            said = "proven" if proof.proven else "not proven"
            lines.append(f"  {said}: {proof.sentence(self.task)}")
        lines += [f"  not tried: {one.change.title}: {one.not_tried}"
                  for one in self.candidates if one.not_tried and one.because]
        times = self.steps / max(1, self.planned_steps)
        lines.append(f"  cost: {self.steps:,} training steps ({times:.1f} times the "
                     f"{self.planned_steps:,} steps of the training), {self.seconds:.0f} s")
        lines += [f"  note: {note}" for note in self.notes]
        if self.restored:
            lines.append(f"  {self.restored} trainings are reused from before an interruption")
        return lines


def _order(one: Candidate) -> float:
    return -(one.value if one.value is not None else -math.inf)


def joined(changes: Sequence[Change]) -> str:
    """Titles of changes in one phrase."""
    titles = [change.title for change in changes]
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def _value(value: float, task: Task | None) -> str:
    if not math.isfinite(value):
        return "diverged"
    return f"loss {number(-value, 4)}" if task is None else f"{task.measure} {number(value)}"


def _values(values: Sequence[float], sign: int) -> str:
    fine = [sign * value for value in values if math.isfinite(value)]
    if not fine:
        return "diverged"
    low, high = min(fine), max(fine)
    text = number(low) if number(low) == number(high) else f"{number(low)} to {number(high)}"
    return text if len(fine) == len(values) else f"{text}, or diverged"


def change_lines(proof: Proof) -> list[str]:
    """The lines of code that make the changes, for a person to put in."""
    return [line for change in proof.changes for line in code_of(change)]


def code_of(change: Change) -> list[str]:
    """Code for one change."""
    settings: dict[str, Any] = dict(change.settings)
    if "optimizer" in settings:
        name = settings.pop("optimizer")
        given = ", ".join(f"{key}={value:g}" for key, value in settings.items())
        return [f"model.compile(optimizer=keras.optimizers.{name}({given}), ...)"]
    if "loss" in settings:
        return [f'# output layer: activation="{settings["activation"]}"',
                f'model.compile(..., loss="{settings["loss"]}")']
    if "learning_rate" in settings:
        return [f"# in the optimizer: learning_rate={settings['learning_rate']:g}"]
    return list(CODE.get(change.id, (f"# train {change.title}",)))


CODE = {
    "without-dropout": ("# remove the Dropout and noise layers",),
    "without-penalties": ("# remove kernel_regularizer=..., activity_regularizer=..., weight_decay",
                          ),
    "with-penalty": (f"# layers: kernel_regularizer=keras.regularizers.L2({PENALTY:g})",),
    "with-dropout": (f"# after each hidden Dense layer: keras.layers.Dropout({DROPOUT:g})",),
    "early-stopping": (f"# fit(callbacks=[{STOPPING}])",),
    "without-clipping": ("# remove clipnorm=..., clipvalue=..., global_clipnorm=...",),
    "without-batch-norm": ("# remove the BatchNormalization layers",),
    "relu": ('# hidden layers: activation="relu"',),
    "leaky-relu": ('# hidden layers: activation="leaky_relu"',),
    "elu": ('# hidden layers: activation="elu"',),
    "he-normal": ('# layers: kernel_initializer="he_normal", bias_initializer="zeros"',),
    "lecun-normal": ('# layers: kernel_initializer="lecun_normal", bias_initializer="zeros"',),
    "glorot-uniform": ('# layers: kernel_initializer="glorot_uniform", bias_initializer="zeros"',),
    "standardised-inputs": (
        "input_axes = tuple(range(max(1, x_train.ndim - 1)))",
        "input_mean, input_std = x_train.mean(input_axes), x_train.std(input_axes)",
        "input_std = numpy.where(input_std < 1e-6, 1.0, input_std)  # constant columns",
        "x_train, x_val = (x_train - input_mean) / input_std, (x_val - input_mean) / input_std",
    ),
    "standardised-targets": (
        "mean, std = y_train.mean(0), y_train.std(0)",
        "y_train, y_val = (y_train - mean) / std, (y_val - mean) / std",
        "# predictions: model.predict(x) * std + mean",
    ),
    "averaged-loss": ('# the loss: reduction="sum_over_batch_size"',),
    "shuffled-batches": ("# fit(shuffle=True), or dataset.shuffle(len(x_train)).batch(...)",),
}
