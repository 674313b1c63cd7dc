"""Words and numbers that every format shares, and the one way in which foreign text is shown."""

from __future__ import annotations

import shlex

from tb_convergence.core.diagnosis.finding import Evidence, Finding, RunDiagnosis
from tb_convergence.core.gaps import Sampled, TagFamily
from tb_convergence.core.measures import Unit
from tb_convergence.core.text.numbers import confidence, number, percent
from tb_convergence.core.text.phrases import counted
from tb_convergence.core.text.severity import VERDICT_WORDS
from tb_convergence.core.text.steps import step_range, step_word


def printable(text: str) -> str:
    """Names come from event files: control and direction characters are shown, never sent on.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def amount(value: float, unit: Unit | None) -> str:
    """A number of evidence: fractions in per cent.

    >>> amount(0.8777, "fraction"), amount(-0.0036, "fraction"), amount(0.8777, None)
    ('87.8%', '-0.36%', '0.878')
    """
    return number(value) if unit is None else percent(value)


def place(evidence: Evidence, unit: str = "step") -> str:
    """Where a number was seen, such as "step 12, dense_1"; "" for one of the whole run."""
    parts = [] if evidence.step is None else [f"{unit} {evidence.step:,}"]
    if evidence.layer is not None:
        parts.append(evidence.layer)
    return ", ".join(parts)


def evidence_text(evidence: Evidence, unit: str = "step") -> str:
    """One observed number as a sentence's part: what, how much, against what, where."""
    limit = limit_text(evidence)
    where = place(evidence, unit)
    value = amount(evidence.value, evidence.unit)
    return (f"{evidence.name} {value}" + (f" ({where})" if where else "")
            + (f", suspect if {limit}" if limit else ""))


def limit_text(evidence: Evidence) -> str:
    """Which values speak for the finding; "" for a plain observation.

    >>> limit_text(Evidence("update_ratio", 0.3, 0.1))
    'more than 0.1'
    """
    if evidence.limit is None:
        return ""
    return f"{evidence.side or 'against'} {amount(evidence.limit, evidence.unit)}"


def about(finding: Finding, run: RunDiagnosis) -> str:
    """Severity, kind and confidence of a finding of `run`, whether it is the one to begin with, and
    what looking at the run as it grew showed.
    """
    guessed = "possible " if finding.guess else ""
    unit, parts = unit_of(run), [f"{finding.severity} {guessed}{finding.kind}"]
    if finding is run.fix_first:
        parts.append("fix first")
    parts.append(f"{confidence(finding.confidence)} sure")
    if finding.reported_step is not None:
        parts.append(f"could be reported at {unit} {finding.reported_step:,}")
    if finding.recovered_step is not None:
        parts.append(f"recovered at {unit} {finding.recovered_step:,}")
    return ", ".join(parts)


def finding_steps(finding: Finding, unit: str = "step") -> str:
    """The steps of a finding, such as "steps 40 to 200"."""
    return step_range(finding.first_step, finding.last_step, unit)


def unit_of(run: RunDiagnosis) -> str:
    """The name of the run's steps."""
    return step_word(run.axis)


def reached(run: RunDiagnosis) -> str:
    """How far the run came, such as "step 1,200", and how much of it TensorBoard kept."""
    if run.last_step < 0:
        return "no steps"
    return f"{unit_of(run)} {run.last_step:,}" + (
        f", {sampled_text(run.sampled)}" if run.sampled else ""
    )


def sampled_text(sampled: Sampled) -> str:
    """How much was kept, such as "500 of about 5,000 steps (sampled)"."""
    about = "" if sampled.exact else "about "
    return f"{sampled.kept:,} of {about}{sampled.total:,} steps (sampled)"


def leading(run: RunDiagnosis) -> Finding | None:
    """The finding that represents the run: the first in reading order."""
    return run.findings[0] if run.findings else None


def headline(run: RunDiagnosis) -> str:
    """The run in one line."""
    first = leading(run)
    if first is not None:
        return first.title
    return VERDICT_WORDS[run.verdict.state] if run.last_step >= 0 else "nothing could be read"


def verdict_text(run: RunDiagnosis) -> str:
    """The verdict on a run and how many checks ran: "nothing found (28 of 35 checks ran)"."""
    verdict = run.verdict
    words = VERDICT_WORDS[verdict.state]
    if not verdict.applicable:
        return words
    return f"{words} ({verdict.decided} of {verdict.applicable} checks ran)"


def unjudged(run: RunDiagnosis) -> str:
    """How many rules had too little data; "" if all could be evaluated."""
    count = len(run.not_evaluated)
    return f"{counted(count, 'rule')} need{'' if count != 1 else 's'} more data" if count else ""


def unclear_histograms(run: RunDiagnosis) -> tuple[str, ...]:
    """The questions about histograms with ambiguous names, one sentence each.

    Those that are named as neither are no question where gradients were found beside them.
    """
    known = not any("gradient" in need for item in run.not_evaluated for need in item.needs)
    return tuple(
        _question(family) for family in run.tag_families
        if family.why != "user" and not (known and family.why == "unknown")
    )


def _question(family: TagFamily) -> str:
    one, example = family.count == 1, family.examples[0]
    which = example if one else f"{family.count:,} histograms such as {example}"
    answers = " or ".join(
        f"--tags {shlex.quote(f'{role}={family.pattern}')}" for role in ("gradients", "variables")
    )
    why = {
        "either": "could be weights or gradients",
        "both": "look like both weights and gradients",
        "operation": "belong to the gradient of an operation and do not name the variable",
        "unknown": "look like neither weights nor gradients",
    }[family.why]
    if one:
        why = why.replace("look ", "looks ").replace("belong ", "belongs ").replace("do ", "does ")
    return f"{which} {why}, so {'it is' if one else 'they are'} not read; use {answers}"


def skipped_text(run: RunDiagnosis) -> str:
    """The refused data, with the first example; "" if nothing was refused."""
    if not run.skipped:
        return ""
    first, count = run.skipped[0], len(run.skipped)
    what = f"{first.tag}: {first.reason}" if first.tag else first.reason
    if count == 1:
        return f"1 record skipped: {what}"
    return f"{count:,} records skipped, the first: {what}"


def totals(runs: tuple[RunDiagnosis, ...]) -> str:
    """Runs by their verdict, such as "6 runs: 4 sick (3 critical), 2 nothing found"."""
    read = [run for run in runs if run.last_step >= 0]
    parts = []
    for state, word in VERDICT_WORDS.items():
        those = [run for run in read if run.verdict.state == state]
        critical = sum(run.severity == "critical" for run in those)
        if those:
            parts.append(f"{len(those)} {word}" + (f" ({critical} critical)" if critical else ""))
    if len(read) < len(runs):
        parts.append(f"{len(runs) - len(read)} without data")
    return f"{counted(len(runs), 'run')}: {', '.join(parts)}"
