"""All that differs between two runs, as data. `as_json` is the contract of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tb_convergence.core.comparison.differences import Difference, differences
from tb_convergence.core.comparison.losses import LossComparison, compare_losses
from tb_convergence.core.comparison.relevance import by_relevance
from tb_convergence.core.comparison.settings import Setting, changed_settings
from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.diagnosis.finding import strict_number
from tb_convergence.core.history import RunHistory

COMPARISON_SCHEMA: Final = 1
"""Version of the JSON form."""
NOT_EVALUATED: Final = "not evaluated"
ABSENT: Final = "none"


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding that only one run has, or that is not equally severe in both.

    `first` and `second` are a severity, "none", or "not evaluated" where the data did not tell.
    """

    id: str
    title: str
    first: str
    second: str
    first_step: int | None
    second_step: int | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first, second: their diagnoses.
        settings: what differs in their configuration; None if not both recorded one.
        findings: what differs in their findings, worst first.
        loss: None if no loss of both counts the same steps.
        differences: statistics that differ lastingly, by orders of magnitude.
    """

    first: RunDiagnosis
    second: RunDiagnosis
    settings: tuple[Setting, ...] | None
    findings: tuple[FindingChange, ...]
    loss: LossComparison | None
    differences: tuple[Difference, ...]

    @property
    def shared(self) -> tuple[FindingChange, ...]:
        """Findings that both runs have, equally severe, in the first one's order."""
        others = {finding.id: finding for finding in self.second.findings}
        return tuple(
            FindingChange(one.id, one.title, one.severity, one.severity, int(one.first_step),
                          int(others[one.id].first_step))
            for one in self.first.findings
            if one.id in others and others[one.id].severity == one.severity
        )

    @property
    def diverges_at(self) -> int | None:
        """First step at which anything that is watched differs lastingly; None if nothing does.
        """
        steps = [item.since_step for item in self.differences]
        if self.loss is not None and self.loss.diverges_at is not None:
            steps.append(self.loss.diverges_at)
        return min(steps, default=None)


def compare(
    first: RunHistory,
    second: RunHistory,
    diagnoses: tuple[RunDiagnosis, RunDiagnosis] | None = None,
) -> Comparison:
    """What differs between two runs, `second` against `first`. Never raises on data.

    `diagnoses` of the two, where they are known already.
    """
    found = diagnoses or (diagnose_history(first), diagnose_history(second))
    both = bool(first.config) and bool(second.config)
    changes = _changed_findings(*found)
    settings = changed_settings(first.config, second.config) if both else None
    return Comparison(
        found[0],
        found[1],
        None if settings is None else by_relevance(settings, [one.id for one in changes]),
        changes,
        compare_losses(first, second),
        differences(first, second),
    )


def _changed_findings(first: RunDiagnosis, second: RunDiagnosis) -> tuple[FindingChange, ...]:
    found = []
    by_id = [{finding.id: finding for finding in run.findings} for run in (first, second)]
    unjudged = [{item.id for item in run.not_evaluated} for run in (first, second)]
    for id_ in dict.fromkeys([*by_id[0], *by_id[1]]):
        pair = [findings.get(id_) for findings in by_id]
        said = [
            NOT_EVALUATED if id_ in missing else ABSENT if finding is None else finding.severity
            for finding, missing in zip(pair, unjudged, strict=True)
        ]
        known = pair[0] or pair[1]
        if said[0] == said[1] or known is None:
            continue
        steps = [None if finding is None else int(finding.first_step) for finding in pair]
        found.append(FindingChange(id_, known.title, said[0], said[1], steps[0], steps[1]))
    order = ("critical", "warning", "info", ABSENT, NOT_EVALUATED)
    found.sort(key=lambda change: min(order.index(change.first), order.index(change.second)))
    return tuple(found)


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The JSON object of a comparison; strict: no bare NaN, plain Python types only."""
    loss = comparison.loss
    return {
        "schema": COMPARISON_SCHEMA,
        "first": _run(comparison.first),
        "second": _run(comparison.second),
        "diverges_at": comparison.diverges_at,
        "settings": None if comparison.settings is None else [
            {"name": item.name, "first": item.first, "second": item.second}
            for item in comparison.settings
        ],
        "findings": [_change(item) for item in comparison.findings],
        "shared": [_change(item) for item in comparison.shared],
        "loss": None if loss is None else {
            "first": strict_number(loss.first),
            "second": strict_number(loss.second),
            "orders": strict_number(loss.orders),
            "last_step": loss.last_step,
            "diverges_at": loss.diverges_at,
            "compared": loss.compared,
            "largest_gap_steps": loss.largest_gap_steps,
            "axis": loss.axis,
            "one_kind": loss.one_kind,
        },
        "differences": [_difference(item) for item in comparison.differences],
    }


def _run(run: RunDiagnosis) -> Mapping[str, Any]:
    return {"run": run.run, "last_step": run.last_step}


def _change(item: FindingChange) -> Mapping[str, Any]:
    return {"id": item.id, "title": item.title, "first": item.first, "second": item.second,
            "first_step": item.first_step, "second_step": item.second_step}


def _difference(item: Difference) -> Mapping[str, Any]:
    return {
        "statistic": item.statistic,
        "first_row": item.first_row,
        "second_row": item.second_row,
        "first": strict_number(item.first),
        "second": strict_number(item.second),
        "exact": item.exact,
        "orders": strict_number(item.orders),
        "since_step": item.since_step,
        "compared": item.compared,
    }
