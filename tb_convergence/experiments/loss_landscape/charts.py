"""Landscapes drawn with matplotlib, which is imported only when a chart is asked for.

`picture` draws the same as SVG without it; this is for notebooks and for PNG files.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.landscape import TITLES, spread_text
from tb_convergence.experiments.loss_landscape.refinement import FLOOR
from tb_convergence.experiments.plots import axes

LEVELS: Final = 24
INCHES: Final = 4.0
DPI: Final = 150
MISSING: Final = "a PNG needs matplotlib: pip install matplotlib (.svg and .html do not)"


def draw_plane(plane: Mapping[str, Any], ax: Any = None) -> Any:
    """One plane or line of a record (docs/landscape.md): contours of the log loss, and the path.

    Points whose loss is not finite are left blank. Returns the axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    ax = axes(ax)
    x, loss = np.array(plane["x"]), _losses(plane)
    if plane["y"] is None:
        ax.plot(x, loss, color="tab:blue")
        ax.set_xlabel(plane["labels"][0])
        ax.set_ylabel("loss")
        return ax
    height = np.ma.masked_invalid(np.log10(np.maximum(loss.T, FLOOR)))
    if height.count():
        low, high = float(height.min()), float(height.max())
        levels = np.linspace(low, max(high, low + 1e-6), LEVELS)
        ax.contourf(x, plane["y"], height, levels=levels, cmap="Blues_r")
    path = plane["path"]
    if path is not None:
        ax.plot(path["x"], path["y"], color="tab:red", linewidth=1.2)
    ax.plot([0.0], [0.0], "o", color="tab:red", markeredgecolor="white")
    ax.set_aspect("equal")
    ax.set_xlabel(plane["labels"][0])
    ax.set_ylabel(plane["labels"][1])
    return ax


def png(document: Mapping[str, Any]) -> bytes:
    """The record as a PNG file: its planes side by side, with the statistics below.

    Raises:
        ImportError: matplotlib is not installed; the message says what to do.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional
        from matplotlib.figure import Figure  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ImportError(MISSING) from error
    planes = document["planes"]
    figure = Figure(figsize=(INCHES * len(planes), INCHES + 1.2), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    for place, plane in enumerate(planes):
        ax = figure.add_subplot(1, len(planes), place + 1)
        draw_plane(plane, ax)
        ax.set_title(f"pair {place + 1}: log10 of the loss", fontsize=9)
    figure.suptitle(str(document["name"]))
    figure.supxlabel("; ".join(_statistics(document)), fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _statistics(document: Mapping[str, Any]) -> list[str]:
    found = [f"{TITLES[name]} {spread_text(name, spread)}"
             for name, spread in document["statistics"].items()
             if name in TITLES and spread["mean"] is not None]
    if document["sharpness"]:
        found.append(f"lambda_max {spread_text('', document['sharpness']['largest'])}")
    return found


def _losses(plane: Mapping[str, Any]) -> NDArray[np.float64]:
    """`[N, M]` of a plane, `[N]` of a line; NaN where not known."""
    flat = np.array([np.nan if value is None else value for value in plane["values"]["loss"]])
    return flat if plane["y"] is None else flat.reshape(len(plane["x"]), len(plane["y"]))
