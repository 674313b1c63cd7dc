"""Writes the documentation that is generated from the code, or checks that it is current.

    python tools/document.py           write
    python tools/document.py --check   exit 1 and name what is stale

Generated are docs/diagnoses.md, and the table of diagnoses in README.md between its markers.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tb_convergence.core.diagnosis.rule import Rule  # noqa: E402
from tb_convergence.core.rules import RULES  # noqa: E402
from tb_convergence.core.statistics import CATALOGUE  # noqa: E402

BEGIN, END = "<!-- diagnoses: generated -->", "<!-- /diagnoses -->"
KINDS = {
    "cause": "Causes: what to fix",
    "caution": "Cautions",
    "symptom": "Symptoms: what was observed",
}


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
        "Generated from the rules by `tools/document.py`; the files in "
        "`tb_convergence/core/rules/` are the source.",
        "A rule that lacks data is listed as *not evaluated*, with what it needs; it is never "
        "silently passed. Where a statistic is known only as an interval (from ordinary "
        "histograms), a rule fires only if the whole interval proves it.",
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
    parts = [f"### {rule.id}", f"**{rule.title}.** {_story(rule)}"]
    needs = ", ".join(_need(name) for name in rule.needs)
    records = f", at least {rule.at_least} records" if rule.at_least > 1 else ""
    parts.append(f"Needs: {needs}{records}.")
    for label, items in (
        ("Explains", [f"[`{name}`](#{name})" for name in rule.explains]),
        ("Ruled out by an earlier", [f"[`{name}`](#{name})" for name in rule.excluded_by]),
    ):
        if items:
            parts.append(f"{label}: {', '.join(items)}.")
    for label, texts in (
        ("Try", rule.advice),
        ("It is wrong if", rule.disproof),
        ("Known false alarms", rule.false_alarms),
        ("Sources", rule.references),
    ):
        if texts:
            parts.append(f"{label}:\n" + "\n".join(f"* {text}" for text in texts))
    return "\n\n".join(parts)


def _story(rule: Rule) -> str:
    """The rule's own account of itself: its module's docstring, as one paragraph."""
    text = sys.modules[rule.evaluate.__module__].__doc__ or ""
    return " ".join(text.split())


def _need(name: str) -> str:
    known = {s.name: s.title for group in CATALOGUE.values() for s in group}
    return " or ".join(
        f"`{part}` ({known[part].lower()})" if part in known else f"`{part}`"
        for part in name.split("|")
    )


def documents() -> dict[Path, str]:
    """Every generated file and what it should hold."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        readme: f"{before}{BEGIN}\n{table()}\n{END}{after}",
        ROOT / "docs" / "diagnoses.md": diagnoses(),
    }


def main(arguments: list[str]) -> int:
    """Write or check. Returns the exit status."""
    stale = [
        path
        for path, text in documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run python tools/document.py\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(documents()[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
