"""Scaffolds a diagnosis: its rule, its series and its line in the catalogue.

    python tools/new_rule.py my-rule                         a symptom judged by the gradient norm
    python tools/new_rule.py my-rule --kind cause --statistic update_ratio
    python tools/new_rule.py --owed                          what rules still lack

The new rule works at once: it fires where the median of the statistic exceeds a limit, and its
series prove it. What is yours to write is marked with WRITE; `--owed` and the tests list it until
it is written.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "tests")]

from tb_convergence.core.statistics import BY_NAME  # noqa: E402

RULES: Final = ROOT / "tb_convergence" / "core" / "rules"
SERIES: Final = ROOT / "tests" / "histories" / "rules"
KINDS: Final = ("cause", "symptom", "caution")
GROUPS: Final = ("variables", "activations", "inputs")
MARK: Final = "WRITE"

RULE: Final = '''"""WRITE: what goes wrong, and why these numbers show it."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory

LIMIT: Final = 0.5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("@GROUP@")
    if table is None or not table.has("@STATISTIC@"):
        return None
    values = table.column("@STATISTIC@", "low")
    with np.errstate(invalid="ignore"):
        typical = np.nan_to_num(np.median(values, axis=0), nan=-np.inf)
    row = int(np.argmax(typical))
    onset = mostly_since(values[:, row] > LIMIT)
    if not typical[row] > LIMIT or onset is None:
        return None
    layer = table.rows[row].layer
    return Match(
        "warning", 0.5,
        f"WRITE: one sentence on {layer}, with the number {typical[row]:.3g}.",
        int(table.steps[onset]), int(table.steps[-1]), (layer,),
        (Evidence("@STATISTIC@", float(typical[row]), LIMIT, int(table.steps[-1]), layer),),
    )


RULE = Rule(
    id="@ID@",
    kind="@KIND@",
    title="WRITE: headline, at most 44 characters",
    needs=("@STATISTIC@",),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold("@STATISTIC@", high=LIMIT, source="WRITE: literature, or the argument."),
    ),
    shows=("@STATISTIC@",),
    advice=("WRITE: what to do, most promising first.",),
    falsified_by=("WRITE: what would show that the finding is wrong.",),
    false_alarms=("WRITE: when it fires on a healthy run.",),
    references=("WRITE: author and year.",),
)
'''

CASE: Final = '''"""Runs for `@ID@`."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np

from tb_convergence.core.history import RunHistory

SCENE = "WRITE: what the user did."


def fires() -> RunHistory:
    """The first row lies above the limit from step 40 on."""
    return _run(2.0)


def silent() -> RunHistory:
    """It lies just below."""
    return _run(0.45)


def _run(level: float) -> RunHistory:
    base = draw.healthy()
    old = base.tables["@GROUP@"]
    names = (*(name for name in old.columns if name != "@STATISTIC@"), "@STATISTIC@")
    known = {name: old.column(name) for name in old.columns}
    values = np.full(old.low.shape[:2], 0.1)
    values[40:, 0] = level
    columns = {**known, "@STATISTIC@": values}
    table = draw.table("@GROUP@", old.rows, {name: columns[name] for name in names})
    return replace(base, tables={**base.tables, "@GROUP@": table})
'''


class ScaffoldError(ValueError):
    """No rule can be made of what was asked for; the message says why."""


def scaffold(id_: str, kind: str, statistic: str) -> list[Path]:
    """Write the rule, its series and its line in the catalogue; the files that were touched.

    Raises:
        ScaffoldError: the id is malformed or taken, or the statistic is no column of a layer.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", id_):
        raise ScaffoldError(f"{id_!r}: an id is lower-case words joined by hyphens: my-rule")
    known = BY_NAME.get(statistic)
    if known is None or known.group not in GROUPS:
        raise ScaffoldError(f"{statistic!r} is no statistic of layers or data: see "
                            "docs/statistics.md, groups variables, activations and inputs")
    module = id_.replace("-", "_")
    rule, series, registry = RULES / f"{module}.py", SERIES / f"{module}.py", RULES / "__init__.py"
    for path in (rule, series):
        if path.exists():
            raise ScaffoldError(f"{path.relative_to(ROOT)} exists already: choose another id")
    given = {"@ID@": id_, "@KIND@": kind, "@STATISTIC@": statistic, "@GROUP@": known.group}
    rule.write_text(_filled(RULE, given), encoding="utf-8")
    series.write_text(_filled(CASE, given), encoding="utf-8")
    registry.write_text(_registered(registry.read_text(encoding="utf-8"), module), encoding="utf-8")
    return [rule, series, registry]


def _filled(template: str, given: dict[str, str]) -> str:
    for name, value in given.items():
        template = template.replace(name, value)
    return template


def _registered(text: str, module: str) -> str:
    """The registry with an import, in alphabetical order, and the rule, at the end."""
    found = re.search(r"from tb_convergence\.core\.rules import \((.*?)\)", text, re.DOTALL)
    end = re.search(r"\n\)\)\n", text)
    if found is None or end is None:
        raise ScaffoldError("core/rules/__init__.py has another form than expected: add the rule "
                            "to its import and to RULES by hand")
    names = sorted({*re.findall(r"\w+", found[1]), module})
    imports = "".join(f"    {name},\n" for name in names)
    whole = f"{text[:end.start()]}\n    {module}.RULE,{text[end.start():]}"
    return whole.replace(found[1], f"\n{imports}", 1)


def owed() -> list[str]:
    """What rules still lack, a line each; empty where nothing is owed."""
    return [*_marks(), *_missing()]


def _marks() -> Iterator[str]:
    for path in sorted((*RULES.glob("*.py"), *SERIES.glob("*.py"))):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if f"{MARK}: " in line:
                what = line[line.index(MARK):].strip("\"',). ")
                yield f"{path.relative_to(ROOT)}:{number}: {what}"


def _missing() -> Iterator[str]:
    from worked_examples import EXAMPLES  # noqa: PLC0415

    from tb_convergence.core import rules  # noqa: PLC0415

    page = (ROOT / "docs" / "diagnoses.md").read_text(encoding="utf-8")
    for rule in rules.RULES:
        if rule.id not in EXAMPLES:
            yield f"{rule.id}: a run on which it fires, in {SERIES.relative_to(ROOT)}/"
        if f"### {rule.id}\n" not in page:
            yield f"{rule.id}: its section in docs/diagnoses.md (python tools/document.py)"


def main(arguments: list[str]) -> int:
    """Scaffold or list. Returns the exit status: 2 for bad usage, 1 where something is owed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("id", nargs="?", help="id of the new rule, such as my-rule")
    parser.add_argument("--kind", choices=KINDS, default="symptom")
    parser.add_argument("--statistic", default="gradient_norm", metavar="NAME",
                        help="statistic to start from (default: gradient_norm)")
    parser.add_argument("--owed", action="store_true", help="list what rules still lack")
    options = parser.parse_args(arguments)
    if options.owed:
        lines = owed()
        sys.stdout.write("".join(f"{line}\n" for line in lines) or "nothing is owed\n")
        return 1 if lines else 0
    if not options.id:
        parser.error("an id is needed, such as my-rule")
    try:
        paths = scaffold(options.id, options.kind, options.statistic)
    except ScaffoldError as error:
        sys.stderr.write(f"new_rule.py: {error}\n")
        return 2
    for path in paths:
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    sys.stdout.write("Replace what is marked WRITE, then run: python tools/document.py\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
