"""The record of a loss landscape: its contents, its validation, and its summary as text.

Written by `tb_convergence.landscape`, one strict JSON document per landscape in a string tensor
under `convergence/landscape/<name>`; docs/landscape.md says what each entry means.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.core.text.numbers import number, percent

SCHEMA: Final = 1
TAG_PREFIX: Final = f"{PLUGIN_NAME}/landscape/"

MAX_BYTES: Final = 1_000_000
"""Of one document, so that a reply holds it whole."""
MAX_PLANES: Final = 20
MAX_POINTS: Final = 101
"""Along one axis."""
MAX_NAME: Final = 200
MAX_LABELS: Final = 2
MAX_PATH: Final = 1000

_NAME: Final = re.compile(r"[\w.,:=+@ -][\w.,:=+@ /-]*")


class LandscapeRecordError(ValueError):
    """A document that is no landscape, or is larger than a reader accepts."""


def tag_of(name: str) -> str:
    """Tag of the landscape called `name`."""
    return TAG_PREFIX + name


def check_name(name: str) -> str:
    """`name`, if it can be part of a tag.

    Raises:
        LandscapeRecordError: it cannot.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise LandscapeRecordError(
            f"{str(name)[:60]!r} cannot name a landscape: use letters, digits and . , : = + @ - / _"
        )
    return name


def parse(data: bytes) -> dict[str, Any]:
    """The document in `data`, which is untrusted.

    Raises:
        LandscapeRecordError: it is not strict JSON, or no landscape.
    """
    if len(data) > MAX_BYTES:
        raise LandscapeRecordError(
            f"a landscape of {len(data):,} bytes is refused; {MAX_BYTES:,} are accepted"
        )
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise LandscapeRecordError(f"not a landscape's JSON: {error}") from error
    return check_document(document)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def check_document(document: Any) -> dict[str, Any]:
    """`document`, if its parts have the types and sizes that readers rely on.

    Raises:
        LandscapeRecordError: what is wrong with it.
    """
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        version = document.get("schema") if isinstance(document, dict) else None
        raise LandscapeRecordError(
            f"a landscape of schema {str(version)[:20]!r}; this version reads {SCHEMA}"
        )
    check_name(document.get("name", ""))
    planes = document.get("planes")
    if not isinstance(planes, list) or not 1 <= len(planes) <= MAX_PLANES:
        raise LandscapeRecordError(f"a landscape has 1 to {MAX_PLANES} planes")
    for plane in planes:
        _check_plane(plane)
    statistics = document.get("statistics")
    if not isinstance(statistics, dict) or not all(map(_is_spread, statistics.values())):
        raise LandscapeRecordError("the statistics are not numbers with their spread")
    sharpness = document.get("sharpness")
    if sharpness is not None:
        _check_sharpness(sharpness)
    notes = document.get("notes")
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise LandscapeRecordError("the notes are not a list of texts")
    _check_settings(document)
    return document


_TEXTS: Final = ("model", "loss", "directions", "batch_norm", "unit", "level_reason")
_COUNTS: Final = ("parameters", "samples", "batch", "evaluations", "grid_points")
_MAYBE: Final = ("level", "end_loss", "seconds")


def _check_settings(document: Mapping[str, Any]) -> None:
    for key in _TEXTS:
        if not isinstance(document.get(key), str):
            raise LandscapeRecordError(f"{key!r} is not a text")
    for key in _COUNTS:
        if not _is_count(document.get(key)):
            raise LandscapeRecordError(f"{key!r} is not a count")
    for key in _MAYBE:
        if not _is_number(document.get(key)):
            raise LandscapeRecordError(f"{key!r} is not a number")


def _check_plane(plane: Any) -> None:
    if not isinstance(plane, dict):
        raise LandscapeRecordError("a plane is not an object")
    x, y, labels = plane.get("x"), plane.get("y"), plane.get("labels")
    if not _is_axis(x) or not (y is None or _is_axis(y)):
        raise LandscapeRecordError(f"an axis is not 2 to {MAX_POINTS} ascending numbers")
    assert isinstance(x, list)
    size = len(x) * (1 if y is None else len(y))
    values = plane.get("values")
    if not isinstance(values, dict) or "loss" not in values or len(values) > 10:
        raise LandscapeRecordError("a plane has no losses")
    for one in values.values():
        if not isinstance(one, list) or len(one) != size or not all(map(_is_number, one)):
            raise LandscapeRecordError(f"a plane's values are not {size} numbers")
    dimensions = 1 if y is None else 2
    if (
        not isinstance(labels, list) or len(labels) != dimensions
        or not all(isinstance(label, str) and len(label) <= MAX_NAME for label in labels)
    ):
        raise LandscapeRecordError(f"a plane of {dimensions} directions has as many labels")
    statistics = plane.get("statistics")
    if not isinstance(statistics, dict) or not all(map(_is_number, statistics.values())):
        raise LandscapeRecordError("a plane's statistics are not numbers")
    explained = plane.get("explained")
    if not isinstance(explained, list) or not all(map(_is_number, explained)):
        raise LandscapeRecordError("a plane's explained variances are not numbers")
    if not _is_count(plane.get("evaluated")):
        raise LandscapeRecordError("a plane does not say how many points were evaluated")
    _check_path(plane.get("path"))


def _check_path(path: Any) -> None:
    if path is None:
        return
    found = [path.get(key) for key in ("steps", "x", "y", "loss")] if isinstance(path, dict) else []
    parts = [part for part in found if isinstance(part, list)]
    if len(parts) != 4:
        raise LandscapeRecordError("a path is not steps, coordinates and losses")
    lengths = {len(part) for part in parts}
    if len(lengths) != 1 or lengths.pop() > MAX_PATH:
        raise LandscapeRecordError(f"a path's parts differ in length, or exceed {MAX_PATH} points")
    steps, x, y, loss = parts
    fine = all(map(_is_count, steps)) and all(_is_number(v) and v is not None for v in [*x, *y])
    if not fine or not all(map(_is_number, loss)):
        raise LandscapeRecordError("a path's points are not numbers")


def _check_sharpness(sharpness: Any) -> None:
    fine = (
        isinstance(sharpness, dict)
        and _is_spread(sharpness.get("largest"))
        and _is_spread(sharpness.get("smallest"))
        and _is_number(sharpness.get("limit"))
        and _is_number(sharpness.get("rate"))
        and isinstance(sharpness.get("verdict"), str)
        and isinstance(sharpness.get("text"), str)
        and _is_count(sharpness.get("samples"))
    )
    if not fine:
        raise LandscapeRecordError("the sharpness is not complete")


def _is_number(value: Any) -> bool:
    """A finite number, or None for one that is not finite or not defined."""
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and abs(value) < 1e300


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_axis(value: Any) -> bool:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_POINTS:
        return False
    if not all(_is_number(one) and one is not None for one in value):
        return False
    return all(a < b for a, b in itertools.pairwise(value))


def _is_spread(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and _is_number(value.get("mean"))
        and _is_number(value.get("deviation"))
        and isinstance(value.get("values"), list)
        and len(value["values"]) <= MAX_PLANES
        and all(map(_is_number, value["values"]))
    )


TITLES: Final[Mapping[str, str]] = {
    "basin_share": "Basin share",
    "below_level": "Share below the level",
    "nonconvex_share": "Non-convex share",
    "curvature_ratio": "|lambda_min / lambda_max|, mean",
    "roughness": "Roughness of the log loss",
    "width": "Width at the level",
    "finite_share": "Finite share",
    "uphill_share": "Uphill share of the path",
}
"""Statistics in the order in which people read them."""

SPREAD: Final = ("± is the standard deviation between pairs of directions (of lambda_max: between "
                 "halves of the samples) at these weights; another training of the same model can "
                 "differ by more.")

SHARES: Final = frozenset({
    "basin_share", "below_level", "nonconvex_share", "finite_share", "uphill_share",
})


def describe(document: Mapping[str, Any]) -> str:
    """The landscape's statistics as text: one line each, with the spread between pairs."""
    lines = [
        f"{document['name']}: loss {document['loss']} = {_text(document['end_loss'])} at the "
        f"model's weights, {document['samples']:,} samples, {document['directions']} directions, "
        f"{len(document['planes'])} pair{'s' if len(document['planes']) > 1 else ''}",
        f"  {document['evaluations']:,} evaluations for {document['grid_points']:,} grid points"
        f"{'' if document.get('complete', True) else '; the budget ran out before the end'}",
    ]
    for name, title in TITLES.items():
        spread = document["statistics"].get(name)
        if spread and spread["mean"] is not None:
            bound = document["statistics"].get("width_is_bound")
            least = "at least " if name == "width" and bound and bound["mean"] else ""
            lines.append(f"  {title}: {least}{spread_text(name, spread)}")
    sharpness = document["sharpness"]
    if sharpness:
        lines.append(f"  lambda_max: {spread_text('', sharpness['largest'])}")
        lines.append(f"  {sharpness['text']}")
    if any("±" in line for line in lines):
        lines.append(f"  {SPREAD}")
    lines += [f"  {note}" for note in document["notes"]]
    return "\n".join(lines)


def spread_text(name: str, spread: Mapping[str, Any]) -> str:
    """A mean with its standard deviation between pairs.

    >>> spread_text("basin_share", {"mean": 0.123, "deviation": 0.01, "values": []})
    '12.3% ± 1%'
    """
    share = name in SHARES
    mean, deviation = spread["mean"], spread["deviation"]
    if mean is None:
        return "not defined"
    first = percent(mean) if share else _text(mean)
    if deviation is None:
        return first
    return f"{first} ± {percent(deviation) if share else _text(deviation)}"


def _text(value: float | None) -> str:
    return "not finite" if value is None else number(value)
