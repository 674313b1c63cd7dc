"""Sentences are true: what they cite is in the data, and counts are counts of what they name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tb_convergence.core.diagnosis import Finding, diagnose_history
from tb_convergence.core.diagnosis.timeline import cut_points
from tb_convergence.core.history import RunHistory
from tb_convergence.core.statistics import CATALOGUE

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from worked_examples import EXAMPLES

STEP = re.compile(r"\b(?:step|epoch)s? (\d[\d,]*)")
LAYERS = re.compile(r"\bin (\d+) layers\b")
MEASURED = {statistic.name for group in CATALOGUE.values() for statistic in group}


def told() -> Iterator[tuple[RunHistory, Finding]]:
    """Every finding on the examples, and on the same runs while they were shorter."""
    for example in EXAMPLES.values():
        whole = example.history()
        for cut in cut_points(whole, 8):
            history = whole.until(cut)
            for finding in diagnose_history(history).findings:
                yield history, finding


FOUND = list(told())


def test_there_is_enough_to_judge() -> None:
    assert len(FOUND) > 150
    assert len({finding.id for _, finding in FOUND}) >= len(EXAMPLES) - 3


def test_steps_that_are_named_lie_within_the_run() -> None:
    wrong = {
        (finding.id, step)
        for history, finding in FOUND
        for text in (finding.summary, finding.title, *finding.advice)
        for step in STEP.findall(text)
        if int(step.replace(",", "")) > max(history.last_step, 0) + 1
    }
    assert wrong == set()


def test_a_number_of_layers_is_that_of_the_layers_named() -> None:
    for _, finding in FOUND:
        for count in LAYERS.findall(finding.title):
            assert int(count) == finding.layer_count, finding.title
        assert len(finding.layers) <= finding.layer_count


def test_layers_that_are_named_exist() -> None:
    for history, finding in FOUND:
        known = {row.layer for table in history.tables.values() for row in table.rows}
        known |= {row.name for table in history.tables.values() for row in table.rows}
        described = history.config.get("model", {})
        known |= {layer["name"] for layer in described.get("layers", ())}
        assert set(finding.layers) <= known, finding.id


def recorded(history: RunHistory, name: str, step: int, layer: str | None) -> list[float]:
    """Values of a statistic at one record, of one layer or of all."""
    found: list[float] = []
    for table in history.tables.values():
        at = np.flatnonzero(table.steps == step)
        if not table.has(name) or not len(at):
            continue
        rows = [
            index for index, row in enumerate(table.rows) if layer in (None, row.layer, row.name)
        ]
        found += table.column(name)[at[0], rows].tolist()
    return found


def test_numbers_of_one_record_are_those_of_that_record() -> None:
    """A statistic cited as it was measured, at a step, has that value there."""
    judged = 0
    for history, finding in FOUND:
        for item in finding.evidence:
            if item.statistic not in MEASURED or item.step is None or item.detail:
                continue
            values = recorded(history, item.statistic, item.step, item.layer)
            if not values:
                continue
            judged += 1
            close = np.isclose(values, item.value, rtol=1e-5, atol=1e-12, equal_nan=True)
            assert close.any(), (finding.id, item, values)
    assert judged >= 10


@pytest.mark.parametrize("id_", sorted(EXAMPLES))
def test_first_and_last_step_frame_the_finding(id_: str) -> None:
    history = EXAMPLES[id_].history()
    for finding in diagnose_history(history).findings:
        assert 0 <= finding.first_step <= finding.last_step <= max(history.last_step, 0)
