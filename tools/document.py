"""Writes the documentation that is generated from the code, or checks that it is current.

    python tools/document.py           write
    python tools/document.py --check   exit 1 and name what is stale

It generates docs/diagnoses.md with a picture for each diagnosis in docs/images/diagnoses/, the
table of diagnoses in README.md between its markers, and docs/statistics.md. The texts come from the
rules and the statistics, the examples from tools/worked_examples/.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import statistics_page  # noqa: E402
from worked_examples import EXAMPLES, Example  # noqa: E402

from tb_convergence.cli import account  # noqa: E402
from tb_convergence.cli.drawing import svg  # noqa: E402
from tb_convergence.cli.drawing.chart import Picture  # noqa: E402
from tb_convergence.cli.drawing.decisive import decisive  # noqa: E402
from tb_convergence.cli.drawing.series import loss_picture  # noqa: E402
from tb_convergence.cli.formats import text  # noqa: E402
from tb_convergence.cli.formats.markdown import escaped  # noqa: E402
from tb_convergence.core.diagnosis import Finding, diagnose_history  # noqa: E402
from tb_convergence.core.diagnosis.rule import Rule  # noqa: E402
from tb_convergence.core.diagnosis.severity import MEANING, PRINCIPLE  # noqa: E402
from tb_convergence.core.rules import RULES  # noqa: E402
from tb_convergence.core.statistics import BY_NAME  # noqa: E402

BEGIN, END = "<!-- diagnoses: generated -->", "<!-- /diagnoses -->"
KINDS = {
    "cause": "Causes: what to fix",
    "caution": "Cautions",
    "symptom": "Symptoms: what was observed",
}
PAGE = ROOT / "docs" / "diagnoses.md"
PICTURES = ROOT / "docs" / "images" / "diagnoses"
LOSSES = ("Loss", "Loss by epoch", "Training and validation loss")
"""Titles of pictures that already show the loss."""
WIDTH = 96
"""Columns of the reports that are shown."""


def table() -> str:
    """The README's table: a line per rule."""
    lines = ["| id | what it says |", "|---|---|"]
    for kind in KINDS:
        for rule in _of(kind):
            lines.append(f"| [`{rule.id}`](docs/diagnoses.md#{rule.id}) ({kind}) | {rule.title} |")
    return "\n".join(lines)


def diagnoses() -> str:
    """The page of all rules."""
    parts = [
        "# Diagnoses",
        "This page lists every diagnosis. `tools/document.py` generates it from the rules in "
        "`tb_convergence/core/rules/` and the examples in `tools/worked_examples/`. "
        "`tb-convergence explain ID` prints most of a section in the terminal.",
        "If a run lacks the data that a rule needs, the report lists the rule as *not evaluated* "
        "and names the missing data. A rule that lacks data never counts as passed. Ordinary "
        "histograms give a statistic only as an interval. A rule then fires only if every value in "
        "the interval would make it fire.",
        f"## Severity\n\n{PRINCIPLE}",
        "\n".join(f"* **{name}**: {meaning}" for name, meaning in MEANING.items()),
        "## How to read a section\n\nEach example is synthetic: the smallest run that has the "
        "fault. It shows the output of `tb-convergence diagnose`, the loss, and the decisive "
        "measure with its threshold.",
        "The table lists the thresholds of the rule. A measure called \"A over B\" is the ratio "
        "A / B. \"Explains\" lists the findings that this cause accounts for if they began with "
        "it or later.",
    ]
    for kind, title in KINDS.items():
        rules = _of(kind)
        if rules:
            parts.append(f"## {title}")
            parts.extend(_section(rule) for rule in rules)
    return "\n\n".join(parts) + "\n"


def _of(kind: str) -> list[Rule]:
    return [rule for rule in RULES if rule.kind == kind]


def _section(rule: Rule) -> str:
    parts = [f"### {rule.id}", f"**{rule.title}.** {' '.join(account.story(rule))}"]
    if rule.id in EXAMPLES:
        parts += _worked(rule, EXAMPLES[rule.id])
    needs = ", ".join(_need(name) for name in rule.needs)
    records = f", at least {rule.at_least} records" if rule.at_least > 1 else ""
    parts.append(f"Needs: {needs}{records}.")
    thresholds = account.thresholds(rule)
    if thresholds:
        lines = ["| measure | condition | reason |", "|---|---|---|"]
        lines += [
            f"| {_cell(what)} | {limits} | {_cell(source)} |" for what, limits, source in thresholds
        ]
        parts.append("\n".join(lines))
    for label, items in (
        ("Explains", [f"[`{name}`](#{name})" for name in rule.explains]),
        ("Not reported if one of these began earlier",
         [f"[`{name}`](#{name})" for name in rule.excluded_by]),
    ):
        if items:
            parts.append(f"{label}: {', '.join(items)}.")
    for label, texts in (
        ("Try", rule.advice),
        ("Experiment that decides", (rule.experiment,) if rule.experiment else ()),
        ("The finding is wrong if", rule.falsified_by),
        ("Known false alarms", rule.false_alarms),
        ("Sources", rule.references),
    ):
        if texts:
            parts.append(f"{label}:\n" + "\n".join(f"* {text}" for text in texts))
    return "\n\n".join(parts)


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _need(name: str) -> str:
    known = BY_NAME
    return " or ".join(
        f"`{part}` ({known[part].title.lower()})" if part in known else f"`{part}`"
        for part in name.split("|")
    )


def _worked(rule: Rule, example: Example) -> list[str]:
    diagnosis = diagnose_history(example.history())
    told = text.report([diagnosis], width=WIDTH).rstrip()
    parts = [f"*Example.* {example.scene}", f"```\n{told}\n```"]
    pictures = pictures_of(rule.id, example)
    if pictures:
        name = escaped("; ".join(picture.title for picture in pictures))
        parts.append(f"![{name}](images/diagnoses/{rule.id}.svg)")
    return parts


def finding_of(id_: str, example: Example) -> Finding | None:
    """The finding of that rule in its example; None if the rule does not fire."""
    found = diagnose_history(example.history()).findings
    return next((finding for finding in found if finding.id == id_), None)


def pictures_of(id_: str, example: Example) -> tuple[Picture, ...]:
    """The loss and the decisive measure; a single picture if the loss itself decides."""
    history, finding = example.history(), finding_of(id_, example)
    if finding is None:
        return ()
    decides = decisive(history, finding)
    if decides is not None and decides.title in LOSSES:
        return (decides,)
    loss = loss_picture(history, finding.first_step)
    return tuple(picture for picture in (loss, decides) if picture is not None)


def documents() -> dict[Path, str]:
    """Every generated file with its expected content."""
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    files = {readme: f"{before}{BEGIN}\n{table()}\n{END}{after}", PAGE: diagnoses()}
    files[ROOT / "docs" / "statistics.md"] = statistics_page.page()
    for rule in RULES:
        pictures = pictures_of(rule.id, EXAMPLES[rule.id]) if rule.id in EXAMPLES else ()
        if pictures:
            files[PICTURES / f"{rule.id}.svg"] = svg.standalone(pictures)
    return files


def lacking() -> list[str]:
    """What somebody still has to write to complete the documentation."""
    found = []
    for rule in RULES:
        example = EXAMPLES.get(rule.id)
        place = "causes.py" if rule.kind != "symptom" else "symptoms.py"
        if example is None:
            found.append(f"{rule.id} has no worked example: add one to "
                         f"tools/worked_examples/{place}, and the statistic that decides to "
                         "DRAWERS in tb_convergence/cli/drawing/decisive.py")
        elif finding_of(rule.id, example) is None:
            found.append(f"{rule.id} does not fire on its worked example any more: draw it anew in "
                         f"tools/worked_examples/{place}")
    known = {rule.id for rule in RULES}
    found += [f"the worked example {id_} belongs to no rule: remove it"
              for id_ in EXAMPLES if id_ not in known]
    return found


def main(arguments: list[str]) -> int:
    """Write or check. Returns the exit status: 1 if something is stale or missing."""
    wanted = documents()
    stale = [
        path for path, words in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != words
    ]
    left = sorted(set(PICTURES.glob("*")) - set(wanted))
    missing = lacking()
    for message in missing:
        sys.stderr.write(f"{message}\n")
    if "--check" in arguments:
        for path in [*stale, *left]:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run python tools/document.py\n")
        return 1 if stale or left or missing else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    for path in left:
        path.unlink()
        sys.stdout.write(f"removed {path.relative_to(ROOT)}\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
