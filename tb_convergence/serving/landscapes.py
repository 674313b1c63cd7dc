"""The documents of `landscapes` and `landscape`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tb_convergence.core.landscape import SHARES, TITLES
from tb_convergence.reading.landscapes import RecordedLandscape, RecordedLandscapes
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.parameters import RefusedError
from tb_convergence.serving.payloads import SCHEMA
from tb_convergence.serving.strict_json import Json, encode

LISTED: Final = (
    "name", "model", "loss", "directions", "batch_norm", "samples", "evaluations", "grid_points",
    "end_loss", "complete", "seconds",
)
"""What a list says of each landscape, of its settings."""


def landscapes(run: str, found: RecordedLandscapes) -> bytes:
    """Which landscapes a run has: names and how each was computed, without surfaces."""
    return encode({
        "schema": SCHEMA,
        "run": run,
        "landscapes": [_entry(one) for one in found.landscapes],
        "skipped": [{"tag": shortened(s.tag), "reason": s.reason} for s in found.skipped[:50]],
    })


def _entry(one: RecordedLandscape) -> Json:
    document: Mapping[str, Any] = one.document
    return {
        **{key: document.get(key) for key in LISTED},
        "step": one.step,
        "wall_time": one.wall_time,
        "planes": len(document["planes"]),
        "dimensions": 1 if document["planes"][0]["y"] is None else 2,
    }


def landscape(run: str, name: str, found: RecordedLandscapes, limits: Limits) -> bytes:
    """One landscape with its surfaces, and what its statistics are called.

    Raises:
        RefusedError: 404, there is none of that name, or it cannot be read.
    """
    if not found.landscapes:
        reason = f": {found.skipped[0].reason}" if found.skipped else ""
        raise RefusedError(404, f"the run has no landscape of that name{reason}")
    one = found.landscapes[0]
    body = encode({
        "schema": SCHEMA,
        "run": run,
        "step": one.step,
        "wall_time": one.wall_time,
        "titles": {key: {"title": title, "share": key in SHARES} for key, title in TITLES.items()},
        "landscape": one.document,
    })
    if len(body) > limits.reply_bytes:
        raise RefusedError(
            404, f"the landscape {name[:40]!r} is too large to show: compute it with fewer points "
                 "or pairs"
        )
    return body
