"""Table and figure of the landscape demo, from the records it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean, stdev
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
BEGIN, END = "<!-- table: demo/landscape.py -->", "<!-- end of table -->"
COLUMNS = ("test error", "basin share", "non-convex share", "mean ratio of curvatures",
           "width at ln 10", "roughness of log loss", "lambda_max")
STATISTICS = ("basin_share", "nonconvex_share", "curvature_ratio", "width", "roughness")


def folder_of(logdir: Path, network: str, seed: int) -> Path:
    """Where a training of a network is kept."""
    return logdir / (network if not seed else f"{network}-seed{seed}")


def report(logdir: Path, names: list[str], seeds: list[int], docs: Path | None) -> str:
    """The table as Markdown; with `docs`, also written into its landscape.md.

    With several seeds each number is the mean over trainings with its standard deviation between
    them, and in brackets the mean standard deviation between the pairs of directions of one
    training. With one seed only the latter is known. The figure is that of the first seed.

    Raises:
        ValueError: landscape.md has no place for the table.
    """
    rows = [f"| network | trainings | {' | '.join(COLUMNS)} |", "|---|" * (len(COLUMNS) + 2)]
    rows[1] = "|" + "---|" * (len(COLUMNS) + 2)
    drawn = []
    for name in names:
        made = [folder_of(logdir, name, seed) for seed in seeds]
        made = [folder for folder in made if (folder / "summary.json").is_file()]
        records = [json.loads((folder / "random.json").read_text()) for folder in made]
        errors = [1 - json.loads((folder / "summary.json").read_text())["test"] for folder in made]
        rows.append(f"| {' | '.join([TITLES[name], str(len(made)), *_cells(errors, records)])} |")
        drawn.append((TITLES[name], records[0]))
    table = "\n".join(rows)
    if docs is not None:
        (docs / "images").mkdir(parents=True, exist_ok=True)
        (docs / "images" / "landscape.svg").write_text(figure(drawn), encoding="utf-8")
        page = docs / "landscape.md"
        text = page.read_text(encoding="utf-8")
        before, found, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        if not found:
            raise ValueError(f"{page} has no line {BEGIN!r}")
        page.write_text(f"{before}{found}\n{table}\n{END}{after}", encoding="utf-8")
    return table


def _cells(errors: list[float], records: list[dict[str, Any]]) -> list[str]:
    deviation = f" ± {100 * stdev(errors):.1f}%" if len(errors) > 1 else ""
    cells = [f"{100 * fmean(errors):.1f}%{deviation}"]
    for key in STATISTICS:
        cells.append(between_trainings(key, [one["statistics"][key] for one in records]))
    cells.append(between_trainings("", [one["sharpness"]["largest"] for one in records]))
    return cells


def between_trainings(name: str, spreads: list[dict[str, Any]]) -> str:
    """A statistic over trainings; of one training, over its pairs of directions.

    >>> one, other = ({"mean": mean, "deviation": 0.1, "values": []} for mean in (1.0, 3.0))
    >>> between_trainings("width", [one, other])
    '2 ± 1.41 (0.1)'
    >>> between_trainings("width", [one])
    '1 (0.1)'
    """
    means = [spread["mean"] for spread in spreads]
    within = fmean(spread["deviation"] for spread in spreads)
    whole = {"mean": fmean(means), "deviation": stdev(means) if len(means) > 1 else None}
    return f"{spread_text(name, whole)} ({spread_text(name, {'mean': within, 'deviation': None})})"
