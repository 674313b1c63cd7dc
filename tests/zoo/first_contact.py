"""How held-out programs fared when the rules first met them, kept in one file per family.

A held-out set can be used once. `python -m zoo --only 'reported-*' --first-contact` records the
outcome before anyone who works on the rules has seen it. Afterward the programs may be learned
from, and what is measured on them later is too optimistic, like the rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import tables
from zoo.figures import Figures
from zoo.outcome import Outcome

FOLDER = Path(__file__).with_name("first_contact_records")


def keep(outcomes: Sequence[Outcome]) -> None:
    """Record the outcomes, one file per family.

    Raises:
        FileExistsError: the rules met this family before; a second first contact is none.
    """
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        _keep(family, [outcome for outcome in outcomes if outcome.family == family])


def _keep(family: str, outcomes: Sequence[Outcome]) -> None:
    record = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seeds": sorted({outcome.task.seed for outcome in outcomes}),
        "figures": Figures.of(outcomes).lines(),
        "rows": [row[:-1] for row in tables.rows(outcomes)],
        "doubts": [(str(o.task), o.at_fault) for o in outcomes if o.at_fault],
    }
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{family}.json").open("x") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


def keep_after(outcomes: Sequence[Outcome]) -> None:
    """Add what is measured now, of as many programs as are recorded, to each family's record.

    Raises:
        FileNotFoundError: a family without a first contact has no later one.
    """
    for family in dict.fromkeys(outcome.family for outcome in outcomes):
        path = FOLDER / f"{family}.json"
        record = json.loads(path.read_text())
        own = [outcome for outcome in outcomes if outcome.family == family]
        rows = [row[:-1] for row in tables.rows(own)]
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
    """Its part of docs/accuracy.md, newest set first; empty without a record."""
    records = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    records.sort(key=lambda record: str(record["date"]), reverse=True)
    if not records:
        return ""
    return "\n".join(["## First contact\n", *(_section(record) for record in records)])


def _section(record: dict[str, Any]) -> str:
    seeds = ", ".join(map(str, record["seeds"]))
    return "\n".join(
        [
            f"### {record['date']}: {len(record['rows'])} programs\n",
            f"The rules met these held-out programs for the first time (seeds {seeds}). These are "
            "the best estimates for unseen programs; failures were studied afterward."
            + (f" {record['note']}" if record.get("note") else "") + "\n",
            tables.as_markdown(record["figures"], ("", "share, with its interval")),
            "",
            tables.as_markdown(record["rows"], tables.HEAD[:-1]),
            "",
            *_after(record),
            *(f"Label in doubt, counted all the same: {task}, {why}.\n"
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
        f"**After the rules were corrected** ({after['date']}, no longer an estimate for unseen "
        f"programs): recorded and diagnosed again, {len(after['names'])} of the "
        f"{len(record['rows'])} programs, among them {len(again)} of the {len(missed)} with a miss "
        "above.\n",
        tables.as_markdown(after["figures"], ("", "share, with its interval")),
        "",
    ]
    if after["misses"]:
        lines += [tables.as_markdown(after["misses"], tables.HEAD[:-1]), ""]
    return lines
