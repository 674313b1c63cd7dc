"""How the programs kept apart fared when the rules met them for the first time: kept in a file.

A held-out set can be used once. `python -m zoo --only 'apart-*' --first-contact` writes the outcome
down before anyone who works on the rules has seen it; afterwards the programs may be learnt from,
and what is measured on them later flatters like the rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from zoo import tables
from zoo.figures import Figures
from zoo.outcome import Outcome

FILE = Path(__file__).with_name("first_contact.json")


def keep(outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes down.

    Raises:
        FileExistsError: they met before; a second first time would be no first time.
    """
    record = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seeds": sorted({outcome.task.seed for outcome in outcomes}),
        "figures": Figures.of(outcomes).lines(),
        "rows": [row[:-1] for row in tables.rows(outcomes)],
        "doubts": [(str(o.task), o.at_fault) for o in outcomes if o.at_fault],
    }
    with FILE.open("x") as file:
        json.dump(record, file, indent=1)
        file.write("\n")


def section() -> str:
    """Its part of docs/accuracy.md; empty where nothing was written down."""
    if not FILE.is_file():
        return ""
    record = json.loads(FILE.read_text())
    seeds = ", ".join(map(str, record["seeds"]))
    return "\n".join(
        [
            "## First contact\n",
            f"{len(record['rows'])} programs kept apart, as the rules met them for the first time: "
            f"{record['date']}, seeds {seeds}. This is the estimate for unseen programs; what "
            "failed here was looked at afterwards.\n",
            tables.as_markdown(record["figures"], ("", "share, with its interval")),
            "",
            tables.as_markdown(record["rows"], tables.HEAD[:-1]),
            "",
            *(f"Label in doubt, counted all the same: {task}, {why}.\n"
              for task, why in record["doubts"]),
        ]
    )
