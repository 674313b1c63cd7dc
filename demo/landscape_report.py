"""Table and figure of the landscape demo, from the records it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tb_convergence.core.landscape import spread_text
from tb_convergence.experiments.loss_landscape.picture import figure

TITLES = {
    "resnet56": "56 layers, skip connections",
    "resnet56-no-skip": "56 layers, none",
    "resnet56-no-skip-longer": "56 layers, none, 3x as long",
    "resnet20": "20 layers, skip connections",
    "resnet20-no-skip": "20 layers, none",
}
END = "<!-- end of table -->"


def begin_of(seed: int) -> str:
    """What stands before the table of a training seed in docs/landscape.md."""
    return f"<!-- table: demo/landscape.py --seed {seed} -->"


def report(logdir: Path, names: list[str], seed: int, docs: Path | None) -> str:
    """The table as Markdown; with `docs`, also written into its landscape.md.

    The figure is that of seed 0.

    Raises:
        ValueError: landscape.md has no place for a table of this seed.
    """
    rows = [
        "| network | test error | basin share | non-convex share | mean ratio of curvatures | "
        "width at ln 10 | roughness of log loss | lambda_max |",
        "|---|---|---|---|---|---|---|---|",
    ]
    drawn = []
    for name in names:
        folder = logdir / name
        summary = json.loads((folder / "summary.json").read_text())
        record = json.loads((folder / "random.json").read_text())
        rows.append(_row(TITLES[name], summary, record))
        drawn.append((TITLES[name], record))
    table = "\n".join(rows)
    if docs is not None:
        if not seed:
            (docs / "images").mkdir(parents=True, exist_ok=True)
            (docs / "images" / "landscape.svg").write_text(figure(drawn), encoding="utf-8")
        page = docs / "landscape.md"
        text = page.read_text(encoding="utf-8")
        before, found, rest = text.partition(begin_of(seed))
        _, _, after = rest.partition(END)
        if not found:
            raise ValueError(f"{page} has no line {begin_of(seed)!r}")
        page.write_text(f"{before}{found}\n{table}\n{END}{after}", encoding="utf-8")
    return table


def _row(title: str, summary: dict[str, Any], record: dict[str, Any]) -> str:
    found = record["statistics"]
    cells = [title, f"{100 * (1 - summary['test']):.1f} %"]
    for key in ("basin_share", "nonconvex_share", "curvature_ratio", "width", "roughness"):
        cells.append(spread_text(key, found[key]))
    cells.append(spread_text("", record["sharpness"]["largest"]))
    return f"| {' | '.join(cells)} |"
