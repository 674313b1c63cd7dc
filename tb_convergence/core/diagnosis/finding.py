"""The result of a diagnosis, as data. `as_json` is the contract of the command line and of HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tb_convergence.core.diagnosis.recipes import Recipe
from tb_convergence.core.diagnosis.verdict import UNKNOWN, Verdict, verdict_json
from tb_convergence.core.experiments import Tested
from tb_convergence.core.gaps import Sampled, Skipped, TagFamily
from tb_convergence.core.history import Axis
from tb_convergence.core.measures import Measure, Unit, find
from tb_convergence.core.scalar_tags import EarlierTraining, ScalarTag

Kind = Literal["cause", "symptom", "caution"]
Severity = Literal["critical", "warning", "info"]
Side = Literal["more than", "less than", "at least", "at most", "exactly", "other than"]

SEVERITIES: Final[tuple[Severity, ...]] = ("critical", "warning", "info")
"""Worst first."""

GUESS: Final = 0.5
"""A finding with at most this confidence is no more likely right than wrong: a guess."""

READABLE: Final = 10.0
"""Largest relative change shown in per cent; a larger one is shown as a factor."""

FINDINGS_SCHEMA: Final = 1
"""Version of the JSON form."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One observed number and its limit.

    Attributes:
        statistic: id of a statistic of the catalogue or of a measure (see `core.measures`).
        value: what was observed; NaN and infinities are allowed.
        limit: what it was compared with; None for a plain observation.
        step: where; None for a number over the whole run.
        layer: where; None for a number of the whole run.
        side: which values speak for the finding: those "more than" the limit, "less than" it, and
            so on. By default the side that the value is on; a rule states it if the value may be on
            the other one, or if the limit itself counts. None without a limit, and for a value that
            is undefined.
        detail: what the words of the measure leave open, such as "until step 40".
        row: name of the row of its table, where one row of a layer is meant; else None.
        measure: what the statistic is. The engine fills it in; no rule needs to.

    A number on the other side of its limit supports nothing: a rule omits it, or gives it without a
    limit.

    >>> Evidence("update_ratio", 0.3, 0.1).side, Evidence("update_norm", 0.0, 0.0).side
    ('more than', 'exactly')
    >>> Evidence("loss_end_over_start", 1.2, 2.0, side="more than").side
    'more than'
    >>> Evidence("update_ratio", 0.3).name, Evidence("gradient_zero_fraction", 0.3).unit
    ('update ratio', 'fraction')
    """

    statistic: str
    value: float
    limit: float | None = None
    step: int | None = None
    layer: str | None = None
    side: Side | None = None
    detail: str = ""
    row: str | None = None
    measure: Measure | None = None

    def __post_init__(self) -> None:
        if self.side is None and self.limit is not None:
            object.__setattr__(self, "side", _side(self.value, self.limit))
        if self.measure is None:
            object.__setattr__(self, "measure", find(self.statistic))

    @property
    def name(self) -> str:
        """Title of the measure with the detail."""
        if self.measure is None:
            return f"{self.statistic.replace('_', ' ')} {self.detail}".rstrip()
        return self.measure.words(self.detail)

    @property
    def unit(self) -> Unit | None:
        """"fraction" if people read the value in per cent; a tenfold is none."""
        readable = self.measure is not None and abs(self.value) <= READABLE
        return self.measure.unit if self.measure is not None and readable else None

    @property
    def of(self) -> tuple[str, ...]:
        """Statistics that show it, most informative first; a recorded statistic is first itself.

        >>> Evidence("loss_fall", 0.1).of, Evidence("update_ratio", 0.3).of
        (('loss',), ('update_ratio',))
        """
        return (self.measure.of if self.measure is not None else ()) or (self.statistic,)

    @property
    def kind(self) -> str | None:
        """Kind of rows that the measure covers, such as "target"; None for any."""
        return (self.measure.kind or None) if self.measure is not None else None


def _side(value: float, limit: float) -> Side | None:
    if math.isnan(value) or math.isnan(limit):
        return None
    if value == limit:
        return "exactly"
    return "more than" if value > limit else "less than"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired. For the fields, see docs/architecture.md, section Findings.

    `reported_step` and `recovered_step` are known only if the run was replayed as it grew
    (`timeline.replay`): when the finding was first reported, and when it ended. A finding that
    ended is informational. `layers` names the first of `layer_count` layers. `experiment` names the
    experiment that would decide; "" if the evidence is certain. `command` runs it; "" if none of
    our commands does. `tested` holds the results of experiments.
    """

    id: str
    kind: Kind
    severity: Severity
    confidence: float
    title: str
    summary: str
    first_step: int
    last_step: int
    layers: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    explains: tuple[str, ...] = ()
    explained_by: str | None = None
    advice: tuple[str, ...] = ()
    falsified_by: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    reported_step: int | None = None
    recovered_step: int | None = None
    experiment: str = ""
    shows: tuple[str, ...] = ()
    layer_count: int = 0
    command: str = ""
    tested: Tested | None = None

    @property
    def guess(self) -> bool:
        """Whether this cause is no more likely right than wrong: a *possible* cause."""
        return self.kind == "cause" and self.confidence <= GUESS


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """A rule that could not be evaluated, and the data that it needs."""

    id: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunDiagnosis:
    """The whole report on one run, with findings in reading order.

    `tag_families` are histograms that the user was asked about, or has described. `recipes` show
    how to record what `not_evaluated` needs. `sampled` is None if TensorBoard kept everything.
    `scalar_tags` say how each scalar was interpreted. `earlier_trainings` are older trainings in
    the same folder. `axis` is what steps count. `loss_summary` describes the loss; "" if it is
    unknown. `verdict` judges the whole run. `trainable_changes` say, in a sentence each, which
    variables the training froze, unfroze or added on the way.
    """

    run: str
    last_step: int
    findings: tuple[Finding, ...]
    not_evaluated: tuple[NotEvaluated, ...]
    skipped: tuple[Skipped, ...]
    tag_families: tuple[TagFamily, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    sampled: Sampled | None = None
    axis: Axis = "step"
    loss_summary: str = ""
    verdict: Verdict = UNKNOWN
    scalar_tags: tuple[ScalarTag, ...] = ()
    earlier_trainings: tuple[EarlierTraining, ...] = ()
    trainable_changes: tuple[str, ...] = ()

    @property
    def first_cause(self) -> Finding | None:
        """The most likely root: the first finding that is a cause and has not ended; else None."""
        return next(
            (f for f in self.findings if f.kind == "cause" and f.recovered_step is None), None
        )

    @property
    def course(self) -> str:
        """`loss_summary` under its earlier name, which scripts and stored reports still read."""
        return self.loss_summary

    @property
    def fix_first(self) -> Finding | None:
        """If several unexplained causes need action, the first of them; else None."""
        causes = [
            f for f in self.findings
            if f.kind == "cause" and f.severity != "info" and f.explained_by is None
        ]
        return causes[0] if len(causes) > 1 else None

    @property
    def severity(self) -> Severity | None:
        """Severity of the worst finding; None without findings."""
        found = {finding.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in found), None)


def strict_number(value: float | None) -> float | str | None:
    """`value` for strict JSON: NaN and infinities become "NaN", "Infinity", "-Infinity".

    >>> strict_number(float("-inf")), strict_number(0.5), strict_number(None)
    ('-Infinity', 0.5, None)
    """
    if value is None or math.isfinite(value):
        return value if value is None else float(value)
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def as_json(diagnosis: RunDiagnosis) -> dict[str, Any]:
    """The JSON object of one run; strict: no bare NaN, plain Python types only."""
    first = diagnosis.fix_first
    return {
        "run": diagnosis.run,
        "last_step": diagnosis.last_step,
        "axis": diagnosis.axis,
        "loss_summary": diagnosis.loss_summary,
        "course": diagnosis.course,
        "verdict": verdict_json(diagnosis.verdict),
        "fix_first": None if first is None else first.id,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "not_evaluated": [
            {"id": item.id, "needs": list(item.needs)} for item in diagnosis.not_evaluated
        ],
        "skipped": [
            {"tag": item.tag, "step": item.step, "reason": item.reason}
            for item in diagnosis.skipped
        ],
        "tag_families": [
            {
                "pattern": one.pattern, "why": one.why, "role": one.role, "count": one.count,
                "examples": list(one.examples),
            }
            for one in diagnosis.tag_families
        ],
        "scalars": [
            {
                "tag": one.tag, "run": one.run, "role": one.role, "use": one.use,
                "higher_is_better": one.higher_is_better,
            }
            for one in diagnosis.scalar_tags
        ],
        "earlier_trainings": [
            {
                "first_step": one.first_step, "last_step": one.last_step,
                "began": strict_number(one.began), "ended": strict_number(one.ended),
                "tags": list(one.tags),
            }
            for one in diagnosis.earlier_trainings
        ],
        "trainable_changes": list(diagnosis.trainable_changes),
        "sampled": sampled_json(diagnosis.sampled),
        "recipes": [
            {"title": one.title, "lines": list(one.lines)} for one in diagnosis.recipes
        ],
    }


def sampled_json(sampled: Sampled | None) -> dict[str, int | bool] | None:
    """The share of a run that TensorBoard kept; None if it kept everything."""
    if sampled is None:
        return None
    return {"kept": sampled.kept, "total": sampled.total, "exact": sampled.exact}


def _finding(finding: Finding) -> Mapping[str, Any]:
    return {
        "id": finding.id,
        "kind": finding.kind,
        "severity": finding.severity,
        "confidence": round(float(finding.confidence), 3),
        "guess": finding.guess,
        "title": finding.title,
        "summary": finding.summary,
        "first_step": int(finding.first_step),
        "last_step": int(finding.last_step),
        "layers": list(finding.layers),
        "layer_count": max(finding.layer_count, len(finding.layers)),
        "evidence": [
            {
                "statistic": item.statistic,
                "name": item.name,
                "value": strict_number(item.value),
                "limit": strict_number(item.limit),
                "side": item.side,
                "unit": item.unit,
                "step": None if item.step is None else int(item.step),
                "layer": item.layer,
                "row": item.row,
                "kind": item.kind,
                "of": list(item.of),
            }
            for item in finding.evidence
        ],
        "shows": list(finding.shows),
        "explains": list(finding.explains),
        "explained_by": finding.explained_by,
        "advice": list(finding.advice),
        "falsified_by": list(finding.falsified_by),
        "references": list(finding.references),
        "reported_step": _step(finding.reported_step),
        "recovered_step": _step(finding.recovered_step),
        "experiment": finding.experiment or None,
        "command": finding.command or None,
        "tested": None if finding.tested is None else {
            "outcome": finding.tested.outcome,
            "reason": finding.tested.reason,
            "experiment": finding.tested.experiment,
            "remedy": finding.tested.remedy or None,
        },
    }


def _step(step: int | None) -> int | None:
    return None if step is None else int(step)
