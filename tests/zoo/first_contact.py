"""Results on held-out programs when the rules first met them, in one file per family.

A held-out set can be used once. `python -m zoo --only 'reported-*' --first-contact` records the
outcome before anyone who works on the rules has seen it. Afterward the programs may be learned
from, and what is measured on them later is too optimistic, like the rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from zoo import tables
from zoo.cache import ROOT
from zoo.figures import Figures
from zoo.outcome import Outcome

FOLDER = Path(__file__).with_name("first_contact_records")
DETAILS = ROOT / "docs" / "development" / "first_contact.md"

SETS: Final = {
    "apart": "held-out programs, first set", "reported": "held-out programs, second set",
    "forum": "held-out programs, third set", "unusual": "healthy but unusual programs",
    "forum-2": "held-out programs, third set, second part",
    "unusual-2": "healthy but unusual programs, second part",
    "posted": "held-out programs, fourth set",
    "forum-3": "held-out programs, third set, third part",
    "posted-2": "held-out programs, fourth set, second part",
    "asked": "held-out programs, fifth set",
}
"""Families that were written without knowledge of the rules."""

INTRODUCTION = """## First contact

A held-out set is a fair estimate for new programs only at the first measurement. This table has the
results of the first measurements, with one seed per program.
[development/first_contact.md](development/first_contact.md) has every program.
"""

DETAILS_INTRODUCTION = """# First contact with held-out programs

The first measurement on a held-out program is the best estimate for a new program. Afterward the
authors study the failures and correct the rules, so later measurements on the same programs are
optimistic. [accuracy.md](../accuracy.md) explains the terms.
"""


def keep(outcomes: Sequence[Outcome]) -> None:
    """Record the outcomes, one file per family, and one more for programs met at a later time.

    Raises:
        FileExistsError: the rules met one of these programs before; a second first contact is none.
    """
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        _keep(family, [outcome for outcome in outcomes if outcome.family == family])


def _files(family: str) -> list[Path]:
    """Records of a family, the oldest first: `forum.json`, `forum-2.json`, ..."""
    found = [FOLDER / f"{family}.json"]
    while found[-1].is_file():
        found.append(FOLDER / f"{family}-{len(found) + 1}.json")
    return found[:-1]


def _keep(family: str, outcomes: Sequence[Outcome]) -> None:
    files, names = _files(family), {outcome.task.name for outcome in outcomes}
    for path in files:
        met = names & {row[0] for row in json.loads(path.read_text())["rows"]}
        if met:
            raise FileExistsError(f"{path}: met before: {', '.join(sorted(met))}")
    name = f"{family}-{len(files) + 1}" if files else family
    record = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seeds": sorted({outcome.task.seed for outcome in outcomes}),
        "figures": Figures.of(outcomes).lines(),
        "rows": [row[:-1] for row in tables.rows(outcomes)],
        "doubts": [(str(o.task), o.at_fault) for o in outcomes if o.at_fault],
    }
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.json").open("x") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


def keep_after(outcomes: Sequence[Outcome]) -> None:
    """Add what is measured now, of as many programs as are recorded, to each family's records.

    Raises:
        FileNotFoundError: a family without a first contact has no later one.
    """
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        files = _files(family)
        if not files:
            raise FileNotFoundError(f"{FOLDER / family}.json: no first contact of this family")
        own = [outcome for outcome in outcomes if outcome.family == family]
        for path in files:
            _keep_after(path, own)


def _keep_after(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Add to one record what is measured now of the programs that it lists."""
    record = json.loads(path.read_text())
    listed = {row[0] for row in record["rows"]}
    own = [outcome for outcome in outcomes if outcome.task.name in listed]
    rows = [row[:-1] for row in tables.rows(own)]
    if rows:
        record["after"] = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "figures": Figures.of(own).lines(),
            "names": [row[0] for row in rows],
            "misses": [row for row in rows if _missed(row)],
        }
        path.write_text(json.dumps(record, indent=1) + "\n")


def _missed(row: Sequence[str]) -> bool:
    """Whether a row of the table shows anything that is not as it should be."""
    first, found, wrong, healthy = row[2:6]
    return not (
        first in ("1/1", "-") and found in ("1/1", "-") and wrong == "-"
        and healthy in ("-", "no twin")
    )


def refreshed(page: str) -> str:
    """`page` with its section of first contacts written anew."""
    start = page.index("## First contact\n")
    end = page.index("\n## ", start) + 1
    return page[:start] + section() + "\n" + page[end:]


def section() -> str:
    """Its part of docs/accuracy.md: the totals of each set; empty without a record."""
    records = _records()
    if not records:
        return ""
    wanted = dict.fromkeys(name for _, record in records for name, _ in record["figures"])
    lines = [
        (f"{SETS.get(family, family)} ({record['date']})",
         *(str(dict(record["figures"]).get(name, "none")) for name in wanted))
        for family, record in records
    ]
    return f"{INTRODUCTION}\n{tables.as_markdown(lines, ('set', *wanted))}\n"


def details() -> str:
    """The page docs/development/first_contact.md: every program of each set."""
    return "\n".join([
        DETAILS_INTRODUCTION, *(_section(family, record) for family, record in _records())
    ]).rstrip() + "\n"


def _records() -> list[tuple[str, dict[str, Any]]]:
    """Family and record, the newest first."""
    found = [(path.stem, json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))]
    return sorted(found, key=lambda pair: str(pair[1]["date"]), reverse=True)


def _section(family: str, record: dict[str, Any]) -> str:
    seeds = ", ".join(map(str, record["seeds"]))
    title = SETS.get(family, family)
    return "\n".join(
        [
            f"## {title[0].upper()}{title[1:]}, {record['date']}\n",
            f"{len(record['rows'])} programs; seed{'s' * (len(record['seeds']) > 1)} {seeds}."
            + (f" {record['note']}" if record.get("note") else "") + "\n",
            tables.as_markdown(record["figures"], ("", "fraction, with interval")),
            "",
            tables.as_markdown(record["rows"], tables.HEAD[:-1]),
            "",
            *_after(record),
            *(f"Label in doubt, but counted: {task}, {why}.\n"
              for task, why in record["doubts"]),
        ]
    )


def _after(record: dict[str, Any]) -> list[str]:
    """What was measured after the rules were corrected; nothing where it was not."""
    after = record.get("after")
    if after is None:
        return []
    missed = [row[0] for row in record["rows"] if _missed(row)]
    again = [name for name in missed if name in after["names"]]
    lines = [
        f"**After the rules were corrected** ({after['date']}): {len(after['names'])} programs of "
        f"this set were recorded and diagnosed again, including {len(again)} of the {len(missed)} "
        "with a wrong result above.\n",
        tables.as_markdown(after["figures"], ("", "fraction, with interval")),
        "",
    ]
    if after["misses"]:
        lines += [tables.as_markdown(after["misses"], tables.HEAD[:-1]), ""]
    return lines
