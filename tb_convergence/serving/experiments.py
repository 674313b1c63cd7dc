"""The document of `experiments`: what experiments found out about a run, checked part by part.

A record's numbers were written by whoever wrote the log. Each kind has a shape; what does not fit
is left out, so that the page draws what it gets without asking what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from tb_convergence.core.experiments import ExperimentRecord
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import in_force
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.payloads import SCHEMA
from tb_convergence.serving.strict_json import Json, encode, integer

Shape: TypeAlias = "Literal['number', 'text', 'flag'] | list[Any] | dict[str, Any]"
"""A number or null; a text; true or false; a list of one shape; an object of named parts."""

MOST_ITEMS: Final = 2_000
"""Of a list, such as the steps of a range test."""
TEXT: Final = 8_000
"""Characters of a text: a diff is the longest."""

_SWEEP: Final[dict[str, Any]] = {
    "optimizer": "text", "rate_in_use": "number", "suggested": "number", "interval": ["number"],
    "highest_stable": "number", "why_none": "text", "ended": "text",
    "compared": [{"rate": "number", "loss": "number"}], "compared_steps": "number",
    "curves": [{"rates": ["number"], "losses": ["number"], "smoothed": ["number"],
                "diverged": "flag"}],
}
SHAPES: Final[Mapping[str, dict[str, Any]]] = {
    "lr_range_test": {**_SWEEP, "unclipped": _SWEEP},
    "overfit_small_sample": {
        "measure": "text", "ended": "text", "threshold": "number",
        "rungs": [{"size": "number", "score": "number", "learned": "number", "steps": "number",
                   "memorized": "flag", "with_adam": "number"}],
    },
    "ablate": {
        "measure": "text", "steps": "number", "baseline": "number", "ended": "text",
        "unchanged": ["number"],
        "effects": [{"id": "text", "title": "text", "control": "flag", "values": ["number"],
                     "mean": "number", "low": "number", "high": "number", "helps": "flag",
                     "hurts": "flag"}],
        "left_out": [{"id": "text", "reason": "text"}],
    },
    "gradient_check": {
        "batch_norm": "flag", "tolerance": "number",
        "layers": [{"name": "text", "norm": "number", "norm_without": "number",
                    "error": "number"}],
    },
    "check_data": {
        "samples": "number", "whole": "flag", "checked": ["text"],
        "issues": [{"id": "text", "severity": "text", "where": "text", "message": "text",
                    "advice": "text", "finding": "text"}],
    },
    "doctor": {
        "measure": "text", "unchanged": "number", "short_steps": "number",
        "planned_steps": "number", "steps": "number", "seconds": "number", "findings": ["text"],
        "diff": "text",
        "candidates": [{"id": "text", "title": "text", "because": ["text"], "value": "number",
                        "not_tried": "text"}],
        "proofs": [{"title": "text", "changes": ["text"], "lines": ["text"], "steps": "number",
                    "separate": "flag", "before": ["number"], "after": ["number"], "proven": "flag",
                    "chosen": "flag"}],
    },
}
"""What `data` holds, by kind of experiment."""


def experiments(history: RunHistory, limits: Limits) -> bytes:
    """The experiments of a run, newest first; `data` is null of those that no longer fit."""
    titles = {rule.id: rule.title for rule in in_force()}
    entries: list[Json] = []
    size = 0
    for record in reversed(history.experiments):
        entry = _entry(record, titles)
        held = len(encode(entry))
        if size + held > limits.page_bytes:
            entry["data"] = None
            held = len(encode(entry))
        if size + held > limits.reply_bytes * 0.9:
            break
        size += held
        entries.append(entry)
    return encode({
        "schema": SCHEMA, "run": history.run, "total": len(history.experiments),
        "experiments": entries,
    })


def _entry(record: ExperimentRecord, titles: Mapping[str, str]) -> dict[str, Json]:
    return {
        "kind": record.kind,
        "summary": shortened(record.summary, 1_000),
        "step": integer(record.step),
        "wall_time": record.wall_time if math.isfinite(record.wall_time) else 0.0,
        "verdicts": [
            {"finding": one.finding, "title": titles.get(one.finding, one.finding),
             "outcome": one.outcome, "reason": shortened(one.reason, 1_000)}
            for one in record.verdicts
        ],
        "data": shaped(record.data, SHAPES[record.kind]),
    }


def shaped(value: object, shape: Shape) -> Json:
    """`value` cut to `shape`: what is missing or of another type is null, "", false or empty.

    An object that is none is null, and left out of a list.

    >>> shaped({"a": "1", "b": [1, True, 1e400], "c": 3}, {"a": "number", "b": ["number"]})
    {'a': None, 'b': [1.0, None, None]}
    """
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            return None
        return {name: shaped(value.get(name), part) for name, part in shape.items()}
    if isinstance(shape, list):
        items = value[:MOST_ITEMS] if isinstance(value, (list, tuple)) else ()
        parts = [shaped(item, shape[0]) for item in items]
        return [part for part in parts if part is not None] if shape != ["number"] else parts
    if shape == "text":
        return shortened(value, TEXT) if isinstance(value, str) else ""
    if shape == "flag":
        return value is True
    return _number(value)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None

