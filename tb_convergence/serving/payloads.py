"""The JSON documents of docs/http_api.md that describe a run: `runs`, `findings`, `layers`.

Pure functions of a run's history and diagnosis: no data provider, no request. Each document is
bounded by `Limits` whatever the run holds: texts are shortened, lists cut, listings paged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tb_convergence.core.comparison import main_settings
from tb_convergence.core.comparison.settings import MAX_MAIN
from tb_convergence.core.diagnosis.finding import (
    SEVERITIES,
    RunDiagnosis,
    as_json,
    sampled_json,
    strict_number,
)
from tb_convergence.core.diagnosis.verdict import verdict_json
from tb_convergence.core.healthy import band
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.rules import in_force
from tb_convergence.core.schema import Row
from tb_convergence.core.statistics import CATALOGUE, Statistic, find
from tb_convergence.serving.derived import derivable
from tb_convergence.serving.health_line import health_line
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.pooling import is_known
from tb_convergence.serving.strict_json import (
    Json,
    bounded,
    encode,
    integer,
    integers,
    longer_than,
)

SCHEMA: Final = 1
"""Version of the HTTP interface; the page compares it with its own."""

WHOLE_RUN: Final = ("run", "epoch")
"""Groups of one row that describe the run as a whole: lines, not layers."""

_NO_COUNTS: Final = dict.fromkeys(SEVERITIES, 0)

_LATEST_SECONDS: Final = 1e12
"""A wall time beyond this, some 30,000 years, is nonsense."""

_WHOLE: Final = (10**9, 10**9, 50)
_TIGHTER: Final = ((2_000, 500, 16), (500, 200, 8), (200, 50, 6), (80, 12, 5), (40, 4, 5))
"""(characters of a text, entries of a list, levels) to try until a document fits."""


def _titles() -> dict[str, str]:
    """What a finding is called in any run: the name of a group of runs."""
    return {rule.id: rule.title for rule in in_force()}


def fitting(document: Mapping[str, Json], limits: Limits) -> bytes:
    """`document` encoded, cut to fit; `"shortened"` states whether anything was left out."""
    for characters, items, depth in (_WHOLE, *_TIGHTER):
        cut = {key: bounded(value, characters, items, depth) for key, value in document.items()}
        if longer_than(cut, limits.reply_bytes):
            continue
        body = encode({**cut, "shortened": characters != _WHOLE[0]})
        if len(body) <= limits.reply_bytes:
            return body
    raise AssertionError("a few short texts are never longer than a reply")


def summary(history: RunHistory, diagnosis: RunDiagnosis) -> dict[str, Json]:
    """One entry of `runs`: the data of the run, and its diagnosis in short.

    Without findings the severity is "healthy" where the verdict is "nothing-found", else "unknown".
    """
    counts = dict(_NO_COUNTS)
    for finding in diagnosis.findings:
        counts[finding.severity] += 1
    first = diagnosis.findings[0] if diagnosis.findings else None
    sound = diagnosis.verdict.state == "nothing-found"
    return {
        "run": history.run,
        "source_runs": list(history.source_runs[:10]),
        "last_step": integer(history.last_step),
        "severity": diagnosis.severity or ("healthy" if sound else "unknown"),
        "verdict": verdict_json(diagnosis.verdict),
        "first": first and {
            "id": first.id,
            "kind": first.kind,
            "title": first.title,
            "rule_title": _titles().get(first.id, first.title),
            "first_step": integer(first.first_step),
            "layers": [shortened(name) for name in first.layers[:3]],
            "layer_count": max(first.layer_count, len(first.layers)),
        },
        "counts": counts,
        "sources": sources(history),
        "sampled": sampled_json(history.sampled),
        "axis": history.axis,
        "loss": last_loss(history),
        "latest_seconds": latest_seconds(history),
        "settings": settings(history),
        "health": health_line(history),
        "experiments": len(history.experiments),
        "error": None,
    }


def settings(history: RunHistory) -> dict[str, Json]:
    """The settings of the run, from its configuration and from logged hyperparameters."""
    logged = {f"hparams.{name}": text for name, text in history.hparams.items()}
    return dict(list({**logged, **main_settings(history.config)}.items())[:MAX_MAIN])


def last_loss(history: RunHistory) -> Json:
    """The last recorded training loss, "NaN" if it is not finite; None for a run without one."""
    loss = history.series("loss") or history.series("epoch_loss")
    return strict_number(float(loss.values[-1])) if loss is not None and len(loss) else None


def latest_seconds(history: RunHistory) -> float | None:
    """Wall time of the newest record, in seconds; None without one or from a clock gone wrong."""
    parts: list[Table | Series] = [*history.tables.values(), *history.scalars.values()]
    ends = [float(part.wall_times[-1]) for part in parts if len(part.wall_times)]
    newest = max((end for end in ends if abs(end) < _LATEST_SECONDS), default=None)
    return None if newest is None else round(newest, 3)


def unread(run: str, severity: str, error: str | None = None) -> dict[str, Json]:
    """An entry of `runs` for a run of which nothing is known yet, or that cannot be read."""
    return {
        "run": run,
        "source_runs": [],
        "last_step": -1,
        "severity": severity,
        "verdict": None,
        "first": None,
        "counts": dict(_NO_COUNTS),
        "sources": [],
        "sampled": None,
        "axis": "step",
        "loss": None,
        "latest_seconds": None,
        "settings": {},
        "health": "",
        "experiments": 0,
        "error": error,
    }


def sources(history: RunHistory) -> list[str]:
    """Which of "recorder", "histograms" and "scalars" `history` was read from."""
    found = {table.source for table in history.tables.values()}
    if history.scalars:
        found.add("scalars")
    return [name for name in ("recorder", "histograms", "scalars") if name in found]


def findings(history: RunHistory, diagnosis: RunDiagnosis, limits: Limits) -> bytes:
    """The document of `findings`."""
    said = as_json(diagnosis)
    for finding in said["findings"]:
        # As `layers` names them, so that the page finds the row a finding speaks of.
        finding["layers"] = [shortened(name) for name in finding["layers"]]
        for item in finding["evidence"]:
            for place in ("layer", "row"):
                item[place] = None if item[place] is None else shortened(item[place])
    return fitting(
        {
            "schema": SCHEMA,
            **said,
            "evaluated": diagnosis.verdict.decided,
            "config": dict(history.config) or None,
            "restarts": list(history.restarts),
        },
        limits,
    )


def layered(history: RunHistory, limits: Limits) -> list[Table]:
    """Tables with a row for each layer, the catalogue's groups first, as many as are listed."""
    tables = [
        table
        for table in history.tables.values()
        if table.group not in WHOLE_RUN and len(table.group) <= limits.group_characters
    ]
    order = list(CATALOGUE)
    tables.sort(key=lambda t: order.index(t.group) if t.group in CATALOGUE else len(order))
    return tables[: limits.groups]


def layers(history: RunHistory, offset: int, limits: Limits) -> bytes:
    """The document of `layers`: rows from `offset` on of every group, as many as fit."""
    tables = layered(history, limits)
    rows: list[list[Json]] = [[] for _ in tables]
    longest = max((len(table.rows) for table in tables), default=0)
    position, size = offset, 0
    while position < longest and position - offset < limits.page_items:
        entries = [
            row(table.rows[position]) if position < len(table.rows) else None for table in tables
        ]
        size += len(encode(entries))
        if size > limits.page_bytes and position > offset:
            break
        for listed, entry in zip(rows, entries, strict=True):
            if entry is not None:
                listed.append(entry)
        position += 1
    return encode(
        {
            "schema": SCHEMA,
            "run": history.run,
            "next_offset": position if position < longest else None,
            "groups": [
                {
                    "group": table.group,
                    "exact": table.exact,
                    "records": len(table.steps),
                    "total": table.total,
                    "row_count": len(table.rows),
                    "rows": listed,
                    "metrics": metrics(history, table),
                }
                for table, listed in zip(tables, rows, strict=True)
            ],
        }
    )


def row(described: Row) -> dict[str, Json]:
    """A row of a table as JSON."""
    return {
        "name": shortened(described.name),
        "layer": shortened(described.layer),
        "kind": shortened(described.kind, 40),
        "shape": integers(described.shape[:32]),
        "dtype": shortened(described.dtype, 40),
        "activation": shortened(described.activation, 80),
        "initializer": shortened(described.initializer, 80),
    }


def metrics(history: RunHistory, table: Table) -> list[Json]:
    """The metrics of `table` for the heat map: statistics with at least one value."""
    offered = []
    for name in table.columns:
        statistic = find(table.group, name)
        if statistic is None or not statistic.heat:
            continue
        if is_known(table, name):
            offered.append(_metric(history, table, statistic))
    offered += [_metric(history, table, statistic) for statistic in derivable(table)]
    return offered


def _metric(history: RunHistory, table: Table, statistic: Statistic) -> Json:
    return {
        **naming(statistic.name, statistic),
        "worst": statistic.worst,
        "summary": statistic.summary,
        "center": statistic.center,
        "healthy": healthy(history, table, statistic.name),
    }


def healthy(history: RunHistory, table: Table, name: str, row: int | None = None) -> Json:
    """Between which values no rule objects; see `core.healthy`."""
    found = band(history, table, name, row)
    return found and {"low": found.low, "high": found.high, "rule": found.rule}


def naming(name: str, statistic: Statistic | None) -> dict[str, Json]:
    """How a reader knows a statistic; one of another writer goes by its bare name."""
    return {
        "name": name,
        "title": statistic.title if statistic else name,
        "symbol": statistic.symbol if statistic else "",
        "unit": statistic.unit if statistic else "",
        "scale": statistic.scale if statistic else "linear",
    }
