"""NaN or Inf appeared in training. The finding names the tensor that went bad first, and the step.

The rule searches the tensors of one step in the order in which they are computed: inputs, outputs
by depth, loss, gradients from the output back, variables. The first bad one is where to look.

If steps between two records were not observed, NaN may have appeared in any of them. The finding
then names the steps between which NaN appeared. It names no tensor once the variables contain NaN
from an earlier step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.diagnosis.onsets import NEVER, unseen_before, windows
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import counted, listed

_LOSS: Final = 2
_GRADIENTS: Final = 3
_CUSTOM: Final = frozenset({"Lambda", "TFOpLambda"})
_VARIABLES: Final = 4
"""Place of the variables in the order in which the tensors of a step are computed."""


@dataclass(frozen=True, slots=True)
class _Appearance:
    """First appearance in one kind of tensor.

    Attributes:
        step: of the record that shows it.
        sound: step of the last record before in which that tensor was finite; NEVER without one.
        order: place in the order in which a step's tensors are computed.
        what, layers: the tensor, and the layers of all that are bad in that record.
        fraction: of its entries; None if only their existence is known.
        kind: "NaN", "Inf" or both.
        statistic: what was recorded of it.
        row: of the table; None for the loss.
    """

    step: int
    sound: int
    order: int
    what: str
    layers: tuple[str, ...]
    fraction: float | None
    kind: str
    statistic: str = "nonfinite_loss"
    row: str | None = None

    @property
    def evidence(self) -> Evidence:
        """The evidence. A histogram shows that bad entries exist, but not how many."""
        layer = self.layers[0] if self.layers else None
        if self.fraction is None:
            return Evidence("nonfinite_entries", 1.0, 0.0, self.step, layer, row=self.row,
                            detail=f"{self.what} that are {self.kind}")
        detail = self.kind if self.row is None else f"in {self.row}"
        return Evidence(self.statistic, self.fraction, 0.0, self.step, layer, row=self.row,
                        detail=detail)


def _first_in_table(
    history: RunHistory,
    group: str,
    columns: tuple[tuple[str, str], ...],
    order: int,
    what: str,
    *,
    kinds: tuple[str, ...] = (),
    reverse: bool = False,
) -> _Appearance | None:
    """First bad row of the first bad record; `reverse` reads rows from the output back."""
    table = history.table(group)
    if table is None:
        return None
    present = [(name, kind) for name, kind in columns if table.has(name)]
    among = table.rows_of(*kinds) if kinds else list(range(len(table.rows)))
    if not present or not among:
        return None
    columns_low = [table.column(name, "low") for name, _ in present]
    # Millions of values almost never contain anything bad, so check before making copies.
    bad = np.zeros((len(table.steps), len(among)), dtype=np.bool_)
    for low in columns_low:
        above = low > 0
        if above.any():
            bad |= above[:, among]
    records = np.flatnonzero(bad.any(axis=1))
    if not len(records):
        return None
    record = int(records[0])
    places = np.flatnonzero(bad[record]).tolist()
    if reverse:
        places.reverse()
    fractions = [float(np.nan_to_num(low[record, among[places[0]]])) for low in columns_low]
    worst = int(np.argmax(fractions))
    row = among[places[0]]
    names = dict.fromkeys(table.rows[among[place]].layer for place in places)
    known = [table.column(name, "high")[:record, row] == 0 for name, _ in present]
    sound = np.flatnonzero(np.logical_and.reduce(known))
    return _Appearance(
        step=history.step_of(table, record),
        sound=history.step_of(table, int(sound[-1])) if len(sound) else NEVER,
        order=order,
        what=what.format(name=table.rows[row].name),
        layers=tuple(names),
        fraction=fractions[worst] if table.exact else None,
        kind=present[worst][1],
        statistic=present[worst][0],
        row=table.rows[row].name,
    )


def _first_in_loss(history: RunHistory) -> _Appearance | None:
    for name in ("loss", "epoch_loss"):
        series = history.series(name)
        if series is None or not len(series):
            continue
        bad = np.flatnonzero(~np.isfinite(series.values))
        # An epoch table has NaN if a framework reported no loss.
        if len(bad) and (name == "loss" or np.isfinite(series.values).any()):
            kind = "NaN" if np.isnan(series.values[bad[0]]) else "Inf"
            first = int(bad[0])
            sound = history.step_of(series, first - 1) if first else NEVER
            return _Appearance(history.step_of(series, first), sound, 2, "the loss", (), 1.0, kind)
        return None
    return None


@memoized
def _appearances(history: RunHistory) -> tuple[_Appearance, ...]:
    """First appearance in each kind of tensor, in order of time; () if everything is finite."""
    found = [
        _first_in_table(
            history, "inputs",
            (("feature_nan_fraction", "NaN"), ("feature_inf_fraction", "Inf")),
            0, "the data ({name})", kinds=("input", "target"),
        ),
        _first_in_table(
            history, "activations",
            (("activation_nan_fraction", "NaN"), ("activation_inf_fraction", "Inf")),
            1, "the output of {name}",
        ),
        _first_in_loss(history),
        None  # Dynamic loss scaling looks for its limit by infinite gradients: they are routine.
        if configuration(history).loss_scaled
        else _first_in_table(
            history, "variables",
            (("gradient_nan_fraction", "NaN"), ("gradient_inf_fraction", "Inf")),
            _GRADIENTS, "the gradient of {name}", reverse=True,
        ),
        _first_in_table(
            history, "variables", (("variable_nonfinite_fraction", "NaN or Inf"),),
            _VARIABLES, "the variable {name}",
        ),
    ]
    return tuple(
        sorted((item for item in found if item), key=lambda item: (item.step, item.order))
    )


def _last_finite_step(history: RunHistory) -> int | None:
    """The last known step before the first bad one if the steps between were not seen; else None.
    """
    first = _appearances(history)[0]
    return unseen_before(history, _exact_step(history, first.step), first.sound)


def onset_unknown(history: RunHistory) -> bool:
    """Whether a run has NaN or Inf whose first step is unknown."""
    if _last_finite_step(history) is None:
        return False
    return not _loss_dates_onset(history, _exact_step(history, _appearances(history)[0].step))


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    bad = _appearances(history)
    if not bad:
        return None
    first = bad[0]
    exact = _exact_step(history, first.step)
    unit = "epoch" if history.axis == "epoch" else "step"
    others = tuple(dict.fromkeys(layer for item in bad for layer in item.layers))
    sound = _last_finite_step(history)
    in_data = any(item.order == 0 for item in bad)
    # Variables are recorded before the update, so an earlier step made them bad.
    inherited = any(item.order == _VARIABLES and item.step == first.step for item in bad)
    return Match(
        severity="critical",
        confidence=1.0,
        summary=(
            f"{first.kind} appeared first in {first.what}, at {unit} {exact:,}."
            if sound is None else _interval_summary(history, sound, exact, inherited)
        ) + finite_loss_text(history),
        first_step=exact,
        last_step=history.last_step,
        layers=others,
        evidence=tuple(item.evidence for item in bad),
        advice=_checkpoint_advice(history) + _before_any_update(history, first, exact) + (
            _derivative_advice(history, first) if sound is None
            else _record_more_advice(history) if inherited and not in_data else ()
        ),
        ruins=_nonfinite_lasts(history),
    )


def _before_any_update(history: RunHistory, first: _Appearance, exact: int) -> tuple[str, ...]:
    """Advice if the very first step is not finite although the data is, as far as known."""
    if first.order in (0, _VARIABLES) or exact != 0 or history.axis == "epoch":
        return ()
    return (
        "The first step is already non-finite, before any update, so the learning rate is not the "
        "cause. Check the scale of the inputs and of the initial weights, and look for a logarithm "
        "of 0 or a division by 0 in the loss.",
    )


def _derivative_advice(history: RunHistory, first: _Appearance) -> tuple[str, ...]:
    """Advice for a gradient that went bad while everything it was computed from was finite.

    A derivative is then infinite at a finite value. Gradients are computed from the output back, so
    the operation lies between the last layer with a finite gradient and the first without.
    """
    table = history.table("variables")
    if first.order != _GRADIENTS or table is None or not first.layers:
        return ()
    model = configuration(history)
    named = model.layer(first.layers[0])
    behind = [
        layer for layer in model.layers
        if named is not None and named.name in (layer.inputs or ())
    ]
    own = [layer for layer in behind if layer.kind in _CUSTOM or not layer.parameters]
    place = f"after {first.layers[0]}"
    if own:
        place = f"in {own[0].name} ({own[0].kind}), after {first.layers[0]}"
    elif not behind and named is not None and named in model.ends:
        place = f"in the loss, or after {first.layers[0]}"
    return (
        f"All values are finite but the gradient is not, so a derivative is infinite {place}. Look "
        "there for a root or a norm of 0, a power below 1 of 0, a division by 0, a logarithm of 0, "
        "or arccos or arcsin of 1.",
        "Keep the argument away from that point inside the operation: sqrt(maximum(x, 1e-7)), x / "
        "maximum(y, 1e-7). Wrapping it in tf.where does not help, because 0 times infinity is NaN.",
    )


def finite_loss_text(history: RunHistory) -> str:
    """A sentence on a loss that ends finite while weights or gradients do not; "" otherwise.

    Such a run looks recovered, because activations and reductions can hide NaN.
    """
    loss, layers = history.series("loss"), _nonfinite_at_end(history)
    if loss is None or not len(loss) or not layers or not np.isfinite(loss.values[-1]):
        return ""
    bad = np.flatnonzero(~np.isfinite(loss.values))
    unit = "epoch" if history.axis == "epoch" else "step"
    finite = "stays finite"
    if len(bad):
        finite = f"is finite again from {unit} {history.step_of(loss, int(bad[-1]) + 1):,} on"
    return (
        f" The loss {finite} and ends at {number(float(loss.values[-1]))}, but weights or "
        f"gradients of {listed(layers)} still contain NaN or Inf, so the loss does not mean that "
        "the run recovered."
    )


def _nonfinite_at_end(history: RunHistory) -> list[str]:
    """Layers with a non-finite weight or gradient in the last record, by depth."""
    table = history.table("variables")
    if table is None or not len(table.steps) or configuration(history).loss_scaled:
        return []
    bad = np.zeros(len(table.rows), dtype=np.bool_)
    for name in ("variable_nonfinite_fraction", "gradient_nan_fraction", "gradient_inf_fraction"):
        if table.has(name):
            bad |= table.column(name, "low")[-1] > 0
    return list(dict.fromkeys(table.rows[row].layer for row in np.flatnonzero(bad).tolist()))


def _nonfinite_lasts(history: RunHistory) -> bool:
    """Whether the loss, a gradient or a variable is non-finite in its last record.

    A skipped step leaves nothing behind. Outputs that are infinite by design, such as masks, are
    not the result of the run.
    """
    for name in ("loss", "epoch_loss"):
        series = history.series(name)
        if series is not None and len(series):
            if not np.isfinite(series.values[-1]) and np.isfinite(series.values).any():
                return True
            break
    table = history.table("variables")
    names = ["variable_nonfinite_fraction"]
    if not configuration(history).loss_scaled:
        names += ["gradient_nan_fraction", "gradient_inf_fraction"]
    return table is not None and any(
        bool((table.column(name, "low")[-1] > 0).any()) for name in names
        if table.has(name) and len(table.steps)
    )


def _interval_summary(history: RunHistory, sound: int, seen: int, inherited: bool) -> str:
    """The summary if nothing is known about the steps after `sound` and before `seen`."""
    first = _appearances(history)[0]
    unit = "epoch" if history.axis == "epoch" else "step"
    after, place = (f"after {unit} {sound:,} and ", "between") if sound != NEVER else ("", "before")
    unseen = f"{counted(seen - sound - 1, unit)} {place}"
    # TensorBoard may have dropped records, so a gap does not mean that nothing was written.
    why = f"this log has no record of the {unseen}"
    if windows(history) is not None:
        why = f"the {unseen} were not observed"
    if _loss_dates_onset(history, seen):
        return _summary_by_losses(history, sound, seen, inherited)
    when = f"{first.kind} appeared {after}no later than {unit} {seen:,}; {why}"
    if inherited:
        return f"{when}. By then the variables contained it, so its origin is not known."
    return f"{when}. At {unit} {seen:,} it appears first in {first.what}."


def _loss_dates_onset(history: RunHistory, step: int) -> bool:
    """Whether all losses before `step` are known to be finite, and that of `step` not to be.

    The recorder follows the loss of every step, also between its records.
    """
    run = history.table("run")
    if run is None or not run.has("first_nonfinite_age_steps") or not run.has("window_loss_steps"):
        return False
    record = int(np.searchsorted(run.steps, step))
    if record == len(run.steps):
        return False
    age = run.column("first_nonfinite_age_steps")[record, 0]
    # Only the loss can date a step between two records.
    return bool(age > 0) or not np.isfinite(run.column("loss")[record, 0])


def _summary_by_losses(history: RunHistory, sound: int, broke: int, inherited: bool) -> str:
    """The summary if the losses date the first step, and a later record names the tensor."""
    bad = _appearances(history)
    first = bad[0]
    when = f"The loss became {first.kind} at step {broke:,}; every loss before it was finite."
    data = next((item for item in bad if item.order == 0), None)
    if data is not None:
        same = "" if data.step == broke else f", and perhaps that of step {broke:,} had as well"
        return f"{when} The batch of step {data.step:,} has {data.kind} in {data.what}{same}."
    if first.order == _LOSS:
        return f"{when} Neither gradients nor outputs of that step were recorded."
    if not inherited:
        return f"{when} At step {first.step:,}, {first.kind} appears first in {first.what}."
    return (
        f"{when} By the next record, at step {first.step:,}, the variables contained it, so the "
        "tensor that went bad first is not known."
    )


def _checkpoint_advice(history: RunHistory) -> tuple[str, ...]:
    """Advice if the recorder wrote the last finite state."""
    recorder = history.config.get("recorder")
    written = recorder.get("last_finite") if isinstance(recorder, dict) else None
    if not isinstance(written, dict) or not isinstance(written.get("step"), int):
        return ()
    batch = ""
    if isinstance(written.get("batch_step"), int):
        batch = f" batch.npz in the same folder holds the batch of step {written['batch_step']:,}."
    return (
        "The folder last_finite of the run holds the state at the beginning of step "
        f"{written['step']:,}. Fix the cause, then continue from it with "
        f"model.load_weights(\"model.weights.h5\").{batch}",
    )


def _record_more_advice(history: RunHistory) -> tuple[str, ...]:
    """Advice if the tensor that went bad first is not known."""
    way = (
        "Record every step, as ConvergenceRecorder does"
        if windows(history) is None
        else "Train again with watch_every_step=True"
    )
    return (
        f"{way}: the recording then shows the first bad step in full, with the tensor that goes "
        "bad first.",
        "tf.debugging.enable_check_numerics() names the operation.",
    )


def _exact_step(history: RunHistory, recorded: int) -> int:
    """The true first step, if the recorder counted it back from the record that shows it."""
    run = history.table("run")
    if run is None or not run.has("first_nonfinite_age_steps"):
        return recorded
    age = run.column("first_nonfinite_age_steps")[:, 0]
    known = np.flatnonzero(np.isfinite(age))
    if not len(known):
        return recorded
    return min(recorded, int(run.steps[known[0]]) - int(age[known[0]]))


RULE = Rule(
    id="non-finite-values",
    kind="symptom",
    title="NaN or Inf in training",
    needs=("loss|gradient_nan_fraction|epoch_loss",),
    evaluate=_evaluate,
    measures=(
        Measure("nonfinite_loss", "{detail} fraction of the loss", ("loss",), "fraction"),
        Measure("nonfinite_entries", "entries of {detail} (at least)"),
    ),
    shows=("gradient_norm", "activation_std", "gradient_nan_fraction"),
    advice=(
        "Look at the tensor that is named first. Everything after it is a consequence.",
        "If no cause is named, look there for a division by zero, a log of zero or an overflow. "
        "tf.debugging.enable_check_numerics() names the operation.",
    ),
    falsified_by=("The loss stays finite when the same batch is run again from the same weights.",),
    false_alarms=(
        "Infinite gradients are routine under dynamic loss scaling, and are not reported.",
    ),
    references=("Zhang et al. 2021, AutoTrainer, ICSE",),
)
