"""ReLU units that are never active: they pass nothing on and get no gradient, so they stay dead."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import FALLS, Floats, learns
from tb_convergence.core.diagnosis.wording import listed, percent
from tb_convergence.core.history import RunHistory, Table

FRACTION: Final = 0.5
"""Dead units of one layer (TheDeepChecker and AutoTrainer flag more than half)."""
NEARLY_ALL: Final = 0.9
"""Above it hardly any unit is left to carry the signal: critical."""
RECORDS: Final = 5
"""Records at the end of the run that must agree: a state that lasts, not a passing batch."""


def _lasting(dead: Floats) -> dict[int, int]:
    """Rows dead in all of the last records, with the index of the record where that began."""
    bad = np.nan_to_num(dead) > FRACTION
    result: dict[int, int] = {}
    for row in np.flatnonzero(bad[-RECORDS:].all(axis=0)).tolist():
        alive = np.flatnonzero(~bad[:, row])
        result[row] = int(alive[-1]) + 1 if len(alive) else 0
    return result


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
    harmless = learns(history)
    severity: Severity = "critical" if share > NEARLY_ALL else "warning"
    onset = min(onsets.values())
    return Match(
        severity="info" if harmless else severity,
        confidence=0.5 if harmless else 0.75 + 0.2 * share,
        summary=_summary(table, dead[-1], onsets) + (FALLS if harmless else ""),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=tuple(table.rows[row].layer for row in onsets),
        evidence=tuple(
            Evidence("dead units", float(dead[-1, row]), FRACTION, int(table.steps[-1]),
                     table.rows[row].layer, unit="fraction")
            for row in onsets
        ),
        advice=_advice(table, onsets, configuration(history)),
    )


def _summary(table: Table, dead: Floats, onsets: dict[int, int]) -> str:
    """Which part of each layer is dead, of `dead` `[R]` at the end, and since when."""
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
    return f"{what} are dead{', the earliest' if len(set(onsets.values())) > 1 else ''} {when}."


def _advice(table: Table, onsets: dict[int, int], model: Configuration) -> tuple[str, ...]:
    """Of weights where the units never lived, of steps where they died of them."""
    started = list(dict.fromkeys(table.rows[row].layer for row in onsets if not onsets[row]))
    died = list(dict.fromkeys(table.rows[row].layer for row in onsets if onsets[row]))
    advice = []
    if started:
        advice.append(_start(started, model))
        if int(table.steps[0]) > 0:
            advice.append(
                f"Lower the learning rate if they died before step {int(table.steps[0]):,}, where "
                "the record begins."
            )
    if died:
        advice.append(
            f"Lower the learning rate: units of {listed(died)} were alive at first and died "
            "during training."
        )
    return (*advice, "If they still die, use LeakyReLU or ELU there.")


def _start(names: list[str], model: Configuration) -> str:
    """What to change in how layers start, of what is not so already."""
    layers = [model.layer(name) for name in names]
    change = [
        text for text, done in (
            ("bias_initializer='zeros'",
             all(layer is not None and layer.bias_initializer == "Zeros" for layer in layers)),
            ("kernel_initializer='he_normal'",
             all(layer is not None and layer.initializer in ("HeNormal", "HeUniform")
                 for layer in layers)),
        ) if not done
    ]
    if change:
        return f"Use {' and '.join(change)} in {listed(names)}."
    return f"Look at what enters {listed(names)}: values that are large, or all of one sign?"


RULE = Rule(
    id="dead-relu",
    kind="cause",
    title="ReLU units are dead",
    needs=("activation_dead_fraction",),
    at_least=RECORDS,
    evaluate=_evaluate,
    explains=("zero-gradient", "loss-not-decreasing", "vanishing-gradient", "constant-output",
              "underfitting", "update-ratio-out-of-range", "frozen-variable",
              "learning-rate-too-low"),
    experiment="ablation: with LeakyReLU",
    disproof=(
        "The layer's units are active on other inputs: the recorded batches are not typical.",
    ),
    false_alarms=("Very wide layers may keep many rarely active units and learn well.",),
    references=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733",
        "He et al. 2015, arXiv:1502.01852",
    ),
)
