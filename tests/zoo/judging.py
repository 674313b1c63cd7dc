"""Diagnoses every recording, and holds each label against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tb_convergence.core.diagnosis import diagnose_history
from zoo.cache import Cache
from zoo.outcome import Outcome, first_report, read
from zoo.task import Task

USELESS = 0.2
"""Score (R² or accuracy) of a published fix below which it has not learnt its task."""


def judge(
    tasks: Sequence[Task], cache: Cache, programs: dict[str, Any], *, moments: bool = True
) -> list[Outcome]:
    """Outcomes of all `tasks` that were recorded.

    Args:
        tasks: what to judge.
        cache: of the recordings.
        programs: by name, with `family, architecture, expected, also, good, margin`.
        moments: whether to find out when a cause was first reported: that is the slow part.
    """
    outcomes = []
    for task in tasks:
        facts = cache.facts(task)
        if facts is None:
            continue
        program = programs[task.name]
        history = read(cache.path(task))
        expected = program.expected if task.sick else ()
        findings = diagnose_history(history).findings
        found = any(f.id in expected for f in findings)
        step = first_report(history, expected) if moments and found else None
        outcomes.append(
            Outcome(task, program.family, program.architecture, expected,
                    program.also if task.sick else (), findings, facts, step,
                    _at_fault(task, facts, program, cache))
        )
    return outcomes


def _at_fault(task: Task, facts: dict[str, Any], program: Any, cache: Cache) -> str:
    """Why the label of `task` is not true; empty where it is."""
    if facts["disabled"]:
        return f"recording stopped: {facts['disabled']}"
    if program.good is None:
        useless = not task.sick and facts["score"] < USELESS
        return f"its published fix scores {facts['score']:.3f} here" if useless else ""
    if not task.sick:
        short = facts["score"] < program.good
        return f"score {facts['score']:.3f}, not {program.good:g}" if short else ""
    twin = cache.facts(Task(task.name, sick=False, seed=task.seed))
    if twin is not None and facts["score"] > twin["score"] - program.margin:
        return f"score {facts['score']:.3f}, its healthy twin's {twin['score']:.3f}"
    return ""
