"""Draws a picture as SVG: the same data give the same bytes.

Colors are classes: a page styles them once (`STYLE`), and so follow light and dark by themselves.
All foreign text passes through `_text`. Lines are thinned to the extremes of each pixel column, so
a picture of 20,000 records is as small as one of 200 and hides no spike.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

import numpy as np

from tb_convergence.cli.drawing.axes import Axis, value_axis
from tb_convergence.cli.drawing.chart import Chart, Line, Picture, Profile
from tb_convergence.cli.wording import printable
from tb_convergence.core.history import Values
from tb_convergence.core.text.numbers import number

WIDTH: Final = 360
HEIGHT: Final = 210
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 44, 32
MAX_LINES: Final = 4
COLUMNS: Final = 90
"""Pixel columns of a line; each may hold two points."""

STYLE: Final = """
.pic{font:11px system-ui,-apple-system,"Segoe UI","Liberation Sans",Arial,sans-serif}
.pic .ground{fill:var(--card,#fff)}
.pic text{fill:var(--soft,#59626e)}
.pic .head{fill:var(--ink,#1d2127);font-weight:600;font-size:12px}
.pic .grid{stroke:var(--grid,#e6e8ec);stroke-width:1}
.pic .line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.pic .s0{stroke:var(--s0,#1f5fb0)}.pic .s1{stroke:var(--s1,#b8480e)}
.pic .s2{stroke:var(--s2,#1a7a6c)}.pic .s3{stroke:var(--s3,#8a3fb0)}
.pic .s1{stroke-dasharray:6 2}.pic .s2{stroke-dasharray:2 2}.pic .s3{stroke-dasharray:8 2 2 2}
.pic .band{opacity:.25;stroke:none}
.pic .b0{fill:var(--s0,#1f5fb0)}.pic .b1{fill:var(--s1,#b8480e)}
.pic .b2{fill:var(--s2,#1a7a6c)}.pic .b3{fill:var(--s3,#8a3fb0)}
.pic .limit{stroke:var(--critical,#b3093c);stroke-width:1.2;stroke-dasharray:4 3}
.pic .onset{stroke:var(--warning,#8a4b00);stroke-width:1.2}
.pic text.limit-label{fill:var(--critical,#b3093c)}
.pic text.onset-label{fill:var(--warning,#8a4b00)}
.pic .halo{paint-order:stroke;stroke:var(--card,#fff);stroke-width:3px;stroke-linejoin:round}
.pic .bad{stroke:var(--critical,#b3093c);stroke-width:1.6;fill:none}
.pic .bar{fill:var(--s0,#1f5fb0);fill-opacity:.45;stroke:var(--s0,#1f5fb0);stroke-width:1}
.pic .bar.marked{fill:var(--critical,#b3093c);fill-opacity:.8;stroke:var(--critical,#b3093c)}
""".strip()
"""What the classes look like where no variable of the page says otherwise: light."""

DARK: Final = (
    "--card:#2a2c30;--ink:#eceef1;--soft:#b0b7c0;--grid:#3a3e44;--critical:#ff9db5;"
    "--warning:#ffc46b;--s0:#7db4ff;--s1:#ffab70;--s2:#5fd3bf;--s3:#d5a3f5"
)
"""The same colors in the dark."""


def standalone(pictures: tuple[Picture, ...]) -> str:
    """An SVG file with `pictures` side by side, light or dark as the reader's system is."""
    width = WIDTH * len(pictures)
    style = f"{STYLE}\n@media (prefers-color-scheme:dark){{svg{{{DARK}}}}}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pic" viewBox="0 0 {width} {HEIGHT}" '
        f'width="{width}" height="{HEIGHT}" role="img">',
        f"<title>{_text('; '.join(_name(picture) for picture in pictures))}</title>",
        f"<style>{style}</style>",
        f'<rect class="ground" width="{width}" height="{HEIGHT}" rx="6"/>',
    ]
    for index, picture in enumerate(pictures):
        parts += [f'<g transform="translate({index * WIDTH} 0)">', *_body(picture), "</g>"]
    return "\n".join([*parts, "</svg>"]) + "\n"


def inline(picture: Picture) -> str:
    """`picture` as an element of a page that holds `STYLE`."""
    return "\n".join(
        [
            f'<svg class="pic" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
            f'role="img" aria-label="{_text(_name(picture))}">',
            *_body(picture),
            "</svg>",
        ]
    )


def _name(picture: Picture) -> str:
    return f"{picture.title}. {picture.story}" if picture.story else picture.title


def _text(text: str) -> str:
    return escape(printable(text), quote=True)


def _short(text: str, length: int) -> str:
    shown = printable(text)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def _body(picture: Picture) -> list[str]:
    head = f'<text class="head" x="8" y="16">{_text(_short(picture.title, 52))}</text>'
    return [head, *(_chart(picture) if isinstance(picture, Chart) else _profile(picture))]


def _across(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _up(part: float) -> float:
    return HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP)


def _grid(axis: Axis) -> Iterable[str]:
    for part, label in axis.ticks:
        y = _up(part)
        yield (f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
               f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_text(label)}</text>')


def _limit(picture: Picture, axis: Axis) -> list[str]:
    if picture.limit is None:
        return []
    part = axis.place(picture.limit.value)
    if part is None:
        return []
    y = _up(part)
    above = y - 4 if y > TOP + 14 else y + 12
    return [
        f'<path class="limit" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>',
        f'<text class="limit-label halo" x="{WIDTH - RIGHT - 2}" y="{above:.1f}" '
        f'text-anchor="end">{_text(picture.limit.label)}</text>',
    ]


def _chart(chart: Chart) -> list[str]:
    lines = [item for item in chart.lines[:MAX_LINES] if len(item.steps)]
    if not lines:
        return [f'<text x="{LEFT}" y="{HEIGHT // 2}">no data</text>']
    arrays = [a for item in lines for a in (item.low, item.high)]
    if chart.limit is not None:
        arrays.append(np.array([chart.limit.value]))
    axis = value_axis(arrays, chart.scale)
    first = min(int(item.steps[0]) for item in lines)
    last = max(int(item.steps[-1]) for item in lines)
    if chart.onset is not None:
        first, last = min(first, chart.onset), max(last, chart.onset)
    width = max(1, last - first)
    parts = list(_grid(axis))
    for index, item in enumerate(lines):
        parts += _line(item, index, axis, first, width)
    parts += _limit(chart, axis)
    if chart.onset is not None:
        x = _across((chart.onset - first) / width)
        anchor, beside = ("start", x + 4) if x < WIDTH / 2 else ("end", x - 4)
        parts += [
            f'<path class="onset" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>',
            f'<text class="onset-label halo" x="{beside:.1f}" y="{TOP + 10}" '
            f'text-anchor="{anchor}">from {_text(chart.axis)} {chart.onset:,}</text>',
        ]
    parts.append(_ends(chart.axis, first, last))
    return [*parts, *_legend([item.label for item in lines])]


def _ends(axis: str, first: int, last: int) -> str:
    y = HEIGHT - BOTTOM + 15
    return (f'<text x="{LEFT}" y="{y}">{_text(axis)} {first:,}</text>'
            f'<text x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{last:,}</text>')


def _legend(labels: list[str]) -> list[str]:
    parts, x = [], 8.0
    room = int((WIDTH - 16) / len(labels) / 6.0) - 4
    for index, label in enumerate(labels):
        shown = _short(label, max(4, room))
        parts.append(
            f'<path class="line s{index}" d="M{x:.0f} 29h16"/>'
            f'<text x="{x + 20:.0f}" y="33">{_text(shown)}</text>'
        )
        x += 30 + 6.0 * len(shown)
    return parts


def _line(item: Line, index: int, axis: Axis, first: int, width: int) -> list[str]:
    middle = item.low if item.exact else np.sqrt(np.abs(item.low * item.high)) \
        if axis.logarithmic else (item.low + item.high) / 2
    at = (item.steps - first) / width
    parts = []
    if not item.exact:
        parts.append(_band(item, index, axis, at))
    paths, pen_up = [], True
    for record in _thinned(at, middle):
        part = axis.place(float(middle[record])) if np.isfinite(middle[record]) else None
        if part is None:
            pen_up = True
            continue
        paths.append(f"{'M' if pen_up else 'L'}{_across(at[record]):.1f} {_up(part):.1f}")
        pen_up = False
    if len(paths) == 1:
        paths.append("h1")
    if paths:
        parts.append(f'<path class="line s{index}" d="{"".join(paths)}"/>')
    if item.broken_is_bad:
        parts += _crosses(at, middle)
    return parts


def _thinned(at: Values, values: Values) -> list[int]:
    """Records to draw, in order: first, smallest, largest and non-finite of each pixel column."""
    if len(at) <= 2 * COLUMNS:
        return list(range(len(at)))
    column = np.minimum((at * COLUMNS).astype(np.int64), COLUMNS - 1)
    kept: list[int] = []
    for members in np.split(np.arange(len(at)), np.flatnonzero(np.diff(column)) + 1):
        finite = members[np.isfinite(values[members])]
        chosen = {int(finite[np.argmin(values[finite])]), int(finite[np.argmax(values[finite])])} \
            if len(finite) else {int(members[0])}
        gaps = members[~np.isfinite(values[members])]
        kept += sorted(chosen | ({int(gaps[0])} if len(gaps) else set()))
    return kept


def _band(item: Line, index: int, axis: Axis, at: Values) -> str:
    known = np.flatnonzero(np.isfinite(item.low) & np.isfinite(item.high))
    every = max(1, len(known) // COLUMNS)
    records = known[::every].tolist()
    edge = [(record, item.high) for record in records] + [(r, item.low) for r in records[::-1]]
    points = " ".join(
        f"{_across(at[record]):.1f},{_up(axis.place(float(values[record])) or 0.0):.1f}"
        for record, values in edge
    )
    return f'<polygon class="band b{index}" points="{points}"/>'


def _crosses(at: Values, values: Values) -> list[str]:
    """Where a number was NaN or infinite: crosses at the top, one for each stretch of columns."""
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return []
    last = WIDTH - RIGHT - 4
    places = sorted({min(last, round(_across(float(at[r])) / 8) * 8) for r in bad.tolist()})
    path = "".join(f"M{x - 3} {TOP + 17}l6 6m0 -6l-6 6" for x in places)
    x = places[0]
    anchor, beside = ("start", x) if x < WIDTH / 2 else ("end", x + 4)
    return [f'<path class="bad" d="{path}"/>',
            f'<text class="limit-label halo" x="{beside}" y="{TOP + 36}" text-anchor="{anchor}">'
            "NaN or Inf</text>"]


def _profile(profile: Profile) -> list[str]:
    values = np.asarray(profile.values, np.float64)
    if not len(values):
        return [f'<text x="{LEFT}" y="{HEIGHT // 2}">no data</text>']
    arrays = [values] if profile.scale == "log10" else [values, np.zeros(1)]
    if profile.limit is not None:
        arrays.append(np.array([profile.limit.value]))
    axis = value_axis(arrays, profile.scale)
    parts, slot = list(_grid(axis)), (WIDTH - LEFT - RIGHT) / len(values)
    ground = axis.place(0.0) or 0.0
    for index, value in enumerate(profile.values):
        part = axis.place(value)
        if part is None:
            continue
        low, high = sorted((_up(ground), _up(part)))
        x, wide = LEFT + slot * (index + 0.15), slot * 0.7
        mark = " marked" if profile.marked[index] else ""
        name = f"{profile.names[index]}: {number(value)}"
        parts.append(
            f'<rect class="bar{mark}" x="{x:.1f}" y="{low:.1f}" width="{wide:.1f}" '
            f'height="{max(1.0, high - low):.1f}"><title>{_text(name)}</title></rect>'
        )
    return [*parts, *_limit(profile, axis), *_names(profile, slot)]


def _names(profile: Profile, slot: float) -> list[str]:
    """Names beneath the bars where they fit, else of the first and the last."""
    y, count = HEIGHT - BOTTOM + 15, len(profile.names)
    if slot >= 44:
        return [
            f'<text x="{LEFT + slot * (i + 0.5):.1f}" y="{y}" text-anchor="middle">'
            f"{_text(_short(name, int(slot / 6)))}</text>"
            for i, name in enumerate(profile.names)
        ]
    ends = [(f'x="{LEFT}"', profile.names[0]), (f'x="{WIDTH - RIGHT}" text-anchor="end"',
                                                profile.names[-1])]
    middle = f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{y}" text-anchor="middle">' \
        f"{count} in order</text>"
    return [f'<text {at} y="{y}">{_text(_short(name, 18))}</text>' for at, name in ends] + [middle]
