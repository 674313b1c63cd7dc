"""Pictures of landscapes as SVG and HTML: contour with path, slices, numbers. NumPy only.

The surface is an image of color bands inside the SVG; text and path stay vectors. Several
landscapes in one figure share one scale.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.landscape import TITLES, spread_text
from tb_convergence.experiments.loss_landscape.refinement import FLOOR

COLORS: Final = (
    "#1d426d", "#335e8e", "#4d79a8", "#6e94bd", "#8fadcd", "#aec3da", "#c9d6e5", "#dfe6ef",
    "#f1f4f8",
)
"""From the lowest loss to the highest."""
UNKNOWN: Final = "#f3bccb"
"""Where the loss is not finite, or was not evaluated."""
SIDE: Final = 240
GAP: Final = 24
HEAD: Final = 44
LINES: Final = 150
SHOWN: Final = ("basin_share", "nonconvex_share", "width", "roughness", "uphill_share")

Titled = tuple[str, Mapping[str, Any]]


def figure(landscapes: Sequence[Titled], pair: int = 0) -> str:
    """An SVG with one column per landscape; `pair` says which plane of each."""
    planes = [(title, doc, doc["planes"][min(pair, len(doc["planes"]) - 1)])
              for title, doc in landscapes]
    levels = _levels([plane for _, _, plane in planes])
    width = GAP + len(planes) * (SIDE + GAP)
    height = HEAD + SIDE + LINES + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="system-ui, sans-serif" font-size="11" '
        'fill="#1d2127">',
        f"<title>{escape('Loss landscapes: ' + ', '.join(title for title, _, _ in planes))}"
        "</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, (title, document, plane) in enumerate(planes):
        left = GAP + place * (SIDE + GAP)
        parts += [f'<g transform="translate({left} 0)">', *_column(title, document, plane, levels),
                  "</g>"]
    parts += [*_key(levels, width, height), "</svg>"]
    return "\n".join(parts) + "\n"


def page(landscapes: Sequence[Titled]) -> str:
    """An HTML page with a figure for each pair of directions, and all statistics."""
    most = max(len(doc["planes"]) for _, doc in landscapes)
    figures = "\n".join(
        f"<h2>Pair {pair + 1} of {most}</h2>\n{figure(landscapes, pair)}" for pair in range(most)
    )
    notes = "".join(
        f"<li>{escape(title)}: {escape(note)}</li>"
        for title, doc in landscapes for note in doc["notes"]
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Loss landscape</title>'
        "<style>body{font:14px system-ui,sans-serif;margin:24px}h2{font-size:16px}"
        "svg{max-width:100%;height:auto}</style>"
        f"<h1>Loss landscape</h1>\n{figures}\n<ul>{notes}</ul></html>\n"
    )


def _column(
    title: str, document: Mapping[str, Any], plane: Mapping[str, Any], levels: NDArray[np.float64]
) -> list[str]:
    end = document["end_loss"]
    parts = [
        f'<text y="18" font-size="13" font-weight="600">{escape(title[:38])}</text>',
        f'<text y="34" fill="#59626e">loss {"not finite" if end is None else f"{end:.3g}"} at the '
        f'end, {len(document["planes"])} pair(s) of directions</text>',
    ]
    if plane["y"] is None:
        parts += _line(plane)
    else:
        image = base64.b64encode(_png(_bands(plane, levels))).decode()
        parts.append(
            f'<image y="{HEAD}" width="{SIDE}" height="{SIDE}" '
            f'href="data:image/png;base64,{image}"/>'
        )
        parts += _path(plane)
    return parts + _numbers(document)


def _numbers(document: Mapping[str, Any]) -> list[str]:
    lines = [
        (TITLES[name], spread_text(name, spread))
        for name in SHOWN
        if (spread := document["statistics"].get(name)) and spread["mean"] is not None
    ]
    if document["sharpness"]:
        lines.insert(0, ("lambda_max", spread_text("", document["sharpness"]["largest"])))
    top = HEAD + SIDE + 22
    return [
        f'<text y="{top + 18 * row}">{escape(name)}</text>'
        f'<text x="{SIDE}" y="{top + 18 * row}" text-anchor="end">{escape(value)}</text>'
        for row, (name, value) in enumerate(lines)
    ]


def _grid(plane: Mapping[str, Any]) -> NDArray[np.float64]:
    """Log losses `[N, M]`; NaN where not known."""
    flat = [np.nan if v is None else v for v in plane["values"]["loss"]]
    size = len(plane["x"]), 1 if plane["y"] is None else len(plane["y"])
    return np.asarray(np.log(np.maximum(np.array(flat, np.float64).reshape(size), FLOOR)))


def _levels(planes: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
    """Log losses between the colors: evenly spaced from the lowest to nearly the highest."""
    known = np.concatenate([_grid(plane).ravel() for plane in planes])
    known = known[np.isfinite(known)]
    if not known.size:
        return np.zeros(len(COLORS) - 1)
    low, high = float(known.min()), float(np.quantile(known, 0.98))
    return np.linspace(low, max(high, low + 0.01), len(COLORS) + 1)[1:-1]


def _bands(plane: Mapping[str, Any], levels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Pixels `[SIDE, SIDE, 3]`: direction 1 to the right, direction 2 upwards."""
    grid = _grid(plane)
    u = np.linspace(0, grid.shape[0] - 1, SIDE)
    v = np.linspace(grid.shape[1] - 1, 0, SIDE)
    i = np.minimum(u.astype(int), grid.shape[0] - 2)[None, :]
    j = np.minimum(v.astype(int), grid.shape[1] - 2)[:, None]
    a, b = u[None, :] - i, v[:, None] - j
    value = (
        grid[i, j] * (1 - a) * (1 - b) + grid[i + 1, j] * a * (1 - b)
        + grid[i, j + 1] * (1 - a) * b + grid[i + 1, j + 1] * a * b
    )
    table = np.array([_rgb(color) for color in (*COLORS, UNKNOWN)], np.uint8)
    index = np.searchsorted(levels, np.where(np.isfinite(value), value, 0.0), side="right")
    return table[np.where(np.isfinite(value), index, len(COLORS))]


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """An RGB picture `[H, W, 3]` as a PNG file."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def _at(plane: Mapping[str, Any], x: float, y: float) -> tuple[float, float]:
    xs, ys = plane["x"], plane["y"]
    return (
        SIDE * (x - xs[0]) / (xs[-1] - xs[0]),
        HEAD + SIDE * (1 - (y - ys[0]) / (ys[-1] - ys[0])),
    )


def _path(plane: Mapping[str, Any]) -> list[str]:
    path = plane["path"]
    parts = []
    if path is not None:
        points = " ".join(
            f"{left:.1f},{top:.1f}"
            for left, top in (_at(plane, x, y) for x, y in zip(path["x"], path["y"], strict=True))
        )
        for color, width in (("#ffffff", 4), ("#b3093c", 1.6)):
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{color}" '
                f'stroke-width="{width}" stroke-linejoin="round"/>'
            )
        left, top = _at(plane, path["x"][0], path["y"][0])
        parts.append(
            f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" fill="#fff" stroke="#b3093c" '
            'stroke-width="2"/>'
        )
    left, top = _at(plane, 0.0, 0.0)
    parts.append(
        f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4" fill="#b3093c" stroke="#fff" '
        'stroke-width="1.5"/>'
    )
    return parts


def _line(plane: Mapping[str, Any]) -> list[str]:
    """The losses along a line, from 0 upwards."""
    xs = np.array(plane["x"])
    losses = np.array([np.nan if v is None else v for v in plane["values"]["loss"]])
    known = np.isfinite(losses)
    top = float(losses[known].max()) if known.any() else 1.0
    points = " ".join(
        f"{SIDE * (x - xs[0]) / (xs[-1] - xs[0]):.1f},{HEAD + SIDE * (1 - loss / top):.1f}"
        for x, loss in zip(xs[known], losses[known], strict=True)
    )
    return [
        f'<rect y="{HEAD}" width="{SIDE}" height="{SIDE}" fill="#f4f5f7"/>',
        f'<polyline points="{points}" fill="none" stroke="#1d2127" stroke-width="1.8"/>',
        f'<text x="4" y="{HEAD + 14}" fill="#59626e">{top:.3g}</text>',
    ]


def _key(levels: NDArray[np.float64], width: int, height: int) -> list[str]:
    wide = 34
    left = (width - wide * len(COLORS)) / 2
    top = height - 34
    parts = []
    for place, color in enumerate(COLORS):
        parts.append(
            f'<rect x="{left + place * wide:.1f}" y="{top}" width="{wide}" height="10" '
            f'fill="{color}"/>'
        )
        if place < len(levels):
            parts.append(
                f'<text x="{left + (place + 1) * wide:.1f}" y="{top + 24}" text-anchor="middle" '
                f'fill="#59626e">{np.exp(levels[place]):.2g}</text>'
            )
    parts.append(
        f'<text x="{left + wide * len(COLORS) + 8:.1f}" y="{top + 10}" fill="#59626e">loss</text>'
    )
    return parts
