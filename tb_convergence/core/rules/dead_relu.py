"""ReLU units that are never active pass on no signal and get no gradient, so they stay dead.

The recorder finds dead units with a moving average, which reacts long after a unit was last active.
The rule therefore dates the onset by the activations: it is the first record in which the share of
zero outputs reaches the share of dead units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.data import LARGE_INPUT
from tb_convergence.core.diagnosis.dead_starts import OUTWEIGHS, Reason, Start, start_of
from tb_convergence.core.diagnosis.end_states import EndState
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import layers_of
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.statistics import DEAD_BELOW, DEAD_WEIGHT
from tb_convergence.core.text.numbers import number, percent, rounded
from tb_convergence.core.text.phrases import listed, title_with_layers

FRACTION: Final = 0.5
NEARLY_ALL: Final = 0.9
RECORDS: Final = 5
LAG: Final = math.ceil(math.log(DEAD_BELOW) / math.log(1 - DEAD_WEIGHT))


def _lasting(dead: Values) -> dict[int, int]:
    """Rows that are dead in all of the last records, mapped to the record where that began."""
    bad = np.nan_to_num(dead) > FRACTION
    lasting = np.flatnonzero(bad[-RECORDS:].all(axis=0)).tolist()
    return {row: lasting_since(bad[:, row]) for row in lasting}


def _first_silent_record(table: Table, row: int, known: int) -> int:
    """First record in which a layer has as many zeros as its dead units produce.

    `known` is the record in which the moving average shows them as dead. It is returned unchanged
    if zeros were not recorded.
    """
    if not table.has("activation_zero_fraction"):
        return known
    dead = table.column("activation_dead_fraction", "low")[:, row]
    zero = table.column("activation_zero_fraction", "low")[:, row]
    least = (1 - DEAD_BELOW) * max(float(dead[known]), float(dead[-1]))
    first = max(0, known - LAG)
    return first + lasting_since(zero[first:known] >= least)


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("activations")
    if table is None or len(table.steps) < RECORDS:
        return None
    dead = table.column("activation_dead_fraction", "low")
    onsets = _lasting(dead)
    if not onsets:
        return None
    worst = max(onsets, key=lambda row: float(dead[-1, row]))
    share = float(dead[-1, worst])
    benign = learns(history)
    severity: Severity = "critical" if share > NEARLY_ALL else "warning"
    silent = {row: _first_silent_record(table, row, known) for row, known in onsets.items()}
    first = int(table.steps[min(silent.values())])
    layers = tuple(table.rows[row].layer for row in onsets)
    starts = _starts(history, table, onsets)
    return Match(
        severity="info" if benign else severity,
        confidence=0.5 if benign else 0.75 + 0.2 * share,
        summary=(
            _summary(table, dead[-1], silent) + _start_text(starts) + (FALLS if benign else "")
        ),
        first_step=first,
        last_step=int(table.steps[-1]),
        layers=layers,
        evidence=(
            *_zero_evidence(table, onsets, silent),
            *_death_evidence(table, dead, onsets),
            *_start_evidence(starts),
        ),
        advice=_advice(table, onsets, configuration(history), starts),
        title=title_with_layers(RULE.title, layers),
        benign=benign,
        # What only repeats the most frequent class needs few units, so the others may die.
        caused_by=("class-imbalance",) if share <= NEARLY_ALL and first > 0 else (),
        state=_state(table, dead[-1], silent),
    )


def _state(table: Table, dead: Values, silent: dict[int, int]) -> EndState | None:
    """The state of layers without a single live unit, from `dead` `[R]` at the end; None without
    one.
    """
    rows = [row for row in silent if dead[row] == 1]
    if not rows:
        return None
    what = f"all units of {listed(layers_of(table, rows))} are dead"
    return EndState(what, int(table.steps[max(silent[row] for row in rows)]))


def _zero_evidence(table: Table, onsets: dict[int, int], silent: dict[int, int]) -> list[Evidence]:
    """Zero fractions of the layers whose death they date earlier than the moving average does."""
    if not table.has("activation_zero_fraction"):
        return []
    zero = table.column("activation_zero_fraction", "low")
    return [
        Evidence("activation_zero_fraction", float(zero[since, row]), FRACTION,
                 int(table.steps[since]), table.rows[row].layer)
        for row, since in silent.items() if since < onsets[row]
    ]


def _death_evidence(table: Table, dead: Values, onsets: dict[int, int]) -> list[Evidence]:
    """Dead fraction of each layer at its onset, and at the end if that differs."""
    items = []
    for row, onset in onsets.items():
        layer, then, now = table.rows[row].layer, float(dead[onset, row]), float(dead[-1, row])
        items.append(
            Evidence("activation_dead_fraction", then, FRACTION, int(table.steps[onset]), layer)
        )
        if percent(then) != percent(now):
            items.append(Evidence("activation_dead_fraction", now, FRACTION, int(table.steps[-1]),
                                  layer, detail="at the end"))
    return items


def _starts(history: RunHistory, table: Table, onsets: dict[int, int]) -> list[Start]:
    """Initial state of the layers whose units were dead before the first update."""
    if int(table.steps[0]) != 0:
        return []
    return [start_of(history, table.rows[row].layer) for row in onsets if not onsets[row]]


def _with_reason(starts: list[Start], reason: Reason) -> list[Start]:
    return [start for start in starts if start.reason == reason]


def _start_text(starts: list[Start]) -> str:
    """Explain why units were never alive, as far as that is known."""
    low, large, empty = (_with_reason(starts, reason) for reason in ("bias", "inputs", "weights"))
    if low:
        values = sorted({rounded(start.bias) for start in low})
        at = number(values[0]) if len(values) == 1 else (
            f"between {number(values[0])} and {number(values[-1])}")
        size = max(start.size for start in low)
        return (
            f" The biases of {listed([start.layer for start in low])} start at {at}, while the "
            f"pre-activations without bias have an RMS of at most {number(size)}: too little to "
            "rise above zero."
        )
    if large:
        return (
            f" The input of {large[0].layer} has an RMS of {number(large[0].inputs)}; it should be "
            "about 1."
        )
    if empty:
        return f" The weights of {listed([start.layer for start in empty])} start at zero."
    return ""


def _start_evidence(starts: list[Start]) -> list[Evidence]:
    items = []
    for start in _with_reason(starts, "bias"):
        # The input of a layer after a dead one is 0, so there is no size to compare the bias with.
        limit = -OUTWEIGHS * start.size if start.size > 0 else None
        items.append(Evidence("bias_mean", start.bias, limit, 0, start.layer,
                              side="at most" if limit is not None else None))
        if limit is not None:
            items.append(
                Evidence("preactivation_rms", start.size, None, 0,
                         start.layer)
            )
    items += [
        Evidence("input_rms", start.inputs, LARGE_INPUT, None, start.layer)
        for start in _with_reason(starts, "inputs")
    ]
    return items


def _summary(table: Table, dead: Values, onsets: dict[int, int]) -> str:
    """State which part of each layer is dead (`dead` `[R]`, at the end), and since which record."""
    shares = {table.rows[row].layer: float(dead[row]) for row in onsets}
    said = [percent(share) for share in shares.values()]
    names = listed(list(shares))
    if len(set(said)) == 1:
        what = f"{said[0]} of the units of {names}"
    elif len(shares) == 2:
        what = " and ".join(
            f"{share} of {'the units of ' if not place else ''}{name}"
            for place, (share, name) in enumerate(zip(said, shares, strict=True))
        )
    else:
        low, high = percent(min(shares.values())), percent(max(shares.values()))
        what = f"{low} to {high} of the units of {names}"
    step = int(table.steps[min(onsets.values())])
    when = "from the first step on" if step == 0 else f"since step {step:,}"
    earliest = ", the earliest" if len(set(onsets.values())) > 1 else ""
    return f"{what} {'are' if step == 0 else 'have been'} dead{earliest} {when}."


def _advice(
    table: Table, onsets: dict[int, int], model: Configuration, starts: list[Start]
) -> tuple[str, ...]:
    """Advise on initialization for units that never lived, and on the step size for those that
    died.
    """
    started = list(dict.fromkeys(table.rows[row].layer for row in onsets if not onsets[row]))
    died = list(dict.fromkeys(table.rows[row].layer for row in onsets if onsets[row]))
    advice = []
    if started:
        advice += _remedies(starts) or [_initialization_advice(started, model, starts)]
        if int(table.steps[0]) > 0:
            advice.append(
                f"Lower the learning rate if the units died before step {int(table.steps[0]):,}, "
                "where the recording begins."
            )
    if died:
        rate = model.learning_rate
        lower = (
            f": {model.with_rate(rate / 10, 1)} instead of {model.optimizer_text}" if rate else ""
        )
        advice.append(
            f"Lower the learning rate{lower}, because units of {listed(died)} were alive at first "
            "and died during training."
        )
    return (*advice, "If they still die, use LeakyReLU or ELU there.")


def _remedies(starts: list[Start]) -> list[str]:
    """Fixes for units that were never alive for a known reason; [] if no reason is known."""
    low, large = _with_reason(starts, "bias"), _with_reason(starts, "inputs")
    found = []
    if low:
        found.append(f"Use bias_initializer='zeros' in {listed([one.layer for one in low])}.")
    if large:
        found.append(
            f"Standardize the input of {large[0].layer} to mean 0 and standard deviation 1."
        )
    return found


def _initialization_advice(names: list[str], model: Configuration, starts: list[Start]) -> str:
    """Initialization settings to change, except those that are already set."""
    layers = [model.layer(name) for name in names]
    sound = {start.layer for start in starts if start.bias == 0}
    change = [
        text for text, done in (
            ("bias_initializer='zeros'",
             set(names) <= sound
             or all(layer is not None and layer.bias_initializer == "Zeros" for layer in layers)),
            ("kernel_initializer='he_normal'",
             all(layer is not None and layer.initializer in ("HeNormal", "HeUniform")
                 for layer in layers)),
        ) if not done
    ]
    if change:
        return f"Use {' and '.join(change)} in {listed(names)}."
    return f"Check the input of {listed(names)}: are its values large, or all of one sign?"


def _healthy(_: RunHistory, table: Table) -> Mapping[int, Range]:
    return dict.fromkeys(range(len(table.rows)), (0.0, FRACTION))


RULE = Rule(
    id="dead-relu",
    kind="cause",
    title="ReLU units are dead",
    needs=("activation_dead_fraction",),
    at_least=RECORDS,
    evaluate=_evaluate,
    healthy=(Healthy("activation_dead_fraction", _healthy),),
    thresholds=(
        Threshold(
            "activation_dead_fraction", high=FRACTION,
            source=(
                "TheDeepChecker and AutoTrainer flag a layer with more than half of its units dead."
            ),
        ),
        Threshold(
            "activation_dead_fraction", high=NEARLY_ALL, detail="(critical)",
            source="Hardly any unit is left to carry the signal.",
        ),
        Threshold(
            "records", high=RECORDS, detail="in a row at the end of the run",
            source="One unusual batch must not trigger the finding.",
        ),
        Threshold(
            "records", low=LAG, detail="until the moving average shows that a unit died",
            source=(
                "If a unit was always active before, its moving average takes this long to fall to "
                "the level of a dead unit."
            ),
        ),
    ),
    measures=(
        Measure("bias_mean", "mean of the biases", ("variable_mean",), reading=True, kind="bias"),
        Measure("preactivation_rms", "RMS of the pre-activations"),
        Measure("input_rms", "RMS of the inputs", ("feature_rms",)),
    ),
    shows=("activation_dead_fraction", "activation_zero_fraction", "gradient_zero_fraction"),
    of_sound=True,
    explains=("constant-loss",
              "zero-gradient", "loss-not-decreasing", "vanishing-gradient", "constant-output",
              "underfitting", "update-ratio-out-of-range", "frozen-variable",
              "learning-rate-too-low"),
    experiment="ablation: with LeakyReLU",
    falsified_by=(
        "The units are active on other inputs: the recorded batches are not representative.",
    ),
    false_alarms=("Very wide layers can keep many rarely active units and still learn well.",),
    references=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733",
        "He et al. 2015, arXiv:1502.01852",
    ),
)
