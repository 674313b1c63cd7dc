"""Applies the results of experiments to findings: confirmed, refuted or undecided.

A finding from recorded data is a guess, an experiment is a measurement. A cause that an experiment
confirms is certain enough to act on. A refuted cause becomes informational and explains nothing. A
symptom was observed, and no experiment changes that, so its confidence stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tb_convergence.core.diagnosis.rule import Match, Rule
from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict, Tested

CONFIRMED: Final = 0.97
"""Confidence of a confirmed cause. A proof over three seeds errs once in twenty, and the rule that
named the cause beforehand is further evidence.
"""
REFUTED: Final = 0.1
"""Confidence of a refuted cause: an experiment on a sample may miss a fault of the whole training.
"""
MAX_REMEDY: Final = 8_000
"""Characters of a remedy. A longer one is left out: half a diff is no change that one can make."""


def tested_of(records: Sequence[ExperimentRecord]) -> dict[str, Tested]:
    """The verdict on each diagnosis, by id: the newest that decides, otherwise the newest."""
    found: dict[str, Tested] = {}
    remedies: dict[str, str] = {}
    for record in sorted(records, key=lambda one: one.wall_time):
        remedy = remedy_of(record)
        for verdict in record.verdicts:
            known = found.get(verdict.finding)
            if known is None or verdict.outcome != "undecided" or known.outcome == "undecided":
                found[verdict.finding] = _tested(verdict, record.kind)
            if verdict.outcome == "confirmed" and remedy:
                remedies[verdict.finding] = remedy
    return {
        id_: replace(tested, remedy=remedies.get(id_, "")) if tested.outcome == "confirmed"
        else tested
        for id_, tested in found.items()
    }


def _tested(verdict: ExperimentVerdict, kind: str) -> Tested:
    return Tested(verdict.outcome, verdict.reason, kind)


def remedy_of(record: ExperimentRecord) -> str:
    """The change that the doctor proved: its diff, otherwise the lines to add; "" without one.

    The record comes from a log directory, so each part is checked before it is used.

    >>> remedy_of(ExperimentRecord("doctor", "", data={"diff": "-a\\n+b"}))
    '-a\\n+b'
    >>> lines = {"proofs": [{"chosen": True, "lines": ["b"]}]}
    >>> remedy_of(ExperimentRecord("doctor", "", data=lines))
    '+ b'
    >>> remedy_of(ExperimentRecord("ablate", "", data={"diff": "-a"}))
    ''
    """
    if record.kind != "doctor":
        return ""
    diff, proofs = record.data.get("diff"), record.data.get("proofs")
    if not isinstance(diff, str) or not diff:
        known = proofs if isinstance(proofs, (list, tuple)) else ()
        chosen = next((one.get("lines") for one in known
                       if isinstance(one, Mapping) and one.get("chosen") is True), ())
        lines = chosen if isinstance(chosen, (list, tuple)) else ()
        diff = "\n".join(f"+ {line}" for line in lines if isinstance(line, str))
    return diff if len(diff) <= MAX_REMEDY else ""


def moved(
    matches: Mapping[str, Match], rules: Mapping[str, Rule], tested: Mapping[str, Tested]
) -> dict[str, Match]:
    """The matches with the confidence that the experiments leave them."""
    return {
        id_: _moved(match, tested[id_]) if id_ in tested and rules[id_].kind != "symptom" else match
        for id_, match in matches.items()
    }


def _moved(match: Match, tested: Tested) -> Match:
    if tested.outcome == "confirmed":
        return replace(match, confidence=max(match.confidence, CONFIRMED))
    if tested.outcome == "refuted":
        return replace(match, confidence=min(match.confidence, REFUTED), severity="info",
                       explains=())
    return match


COMMANDS: Final[Mapping[str, str]] = {
    "LR range test": "tb-convergence doctor --only lr-range-test train.py",
    "small-sample fit": "tb-convergence doctor --only small-sample train.py",
}
WHOLE: Final = "tb-convergence doctor train.py"


def command_for(experiment: str, config: Mapping[str, Any]) -> str:
    """The command that runs the experiment; "" for a run not written by a Keras program.

    >>> command_for("LR range test without clipping", {"model": {}})
    'tb-convergence doctor --only lr-range-test train.py'
    >>> command_for("train twice as long", {"model": {}}), command_for("LR range test", {})
    ('', '')
    """
    if not experiment or "model" not in config or experiment.startswith("train "):
        return ""
    return next(
        (command for name, command in COMMANDS.items() if experiment.startswith(name)), WHOLE)
