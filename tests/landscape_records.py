"""Records of loss landscapes whose surfaces are formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tb_convergence.core.landscape import check_document


def plane_record(name: str = "landscape", steepness: float = 4.0, pairs: int = 2) -> dict[str, Any]:
    """Two planes of a bowl with ripples, a path down into it, and a cliff that is not finite."""
    axis = np.linspace(-1, 1, 25)
    planes = []
    for seed in range(pairs):
        x, y = np.meshgrid(axis, axis, indexing="ij")
        loss = 0.2 + steepness * (x**2 + (1 + seed) * y**2 / 2) + 0.1 * np.sin(6 * x) ** 2
        values = [[None if a > 0.95 and b > 0.95 else float(f"{v:.6g}") for b, v in
                   zip(axis, row, strict=True)] for a, row in zip(axis, loss, strict=True)]
        flat = [value for row in values for value in row]
        steps = list(range(0, 110, 10))
        along = [0.9 * (1 - step / 100) for step in steps]
        planes.append({
            "seed": seed, "labels": ["random direction 1", "random direction 2"], "explained": [],
            "x": axis.tolist(), "y": axis.tolist(),
            "values": {"loss": flat, "accuracy": [
                None if v is None else math.exp(-v) for v in flat
            ]},
            "evaluated": 200, "complete": True,
            "statistics": {"basin_share": 0.4 + 0.02 * seed, "nonconvex_share": 0.1,
                           "roughness": 2.0, "width": 1.2, "width_is_bound": 0.0,
                           "uphill_share": 0.1},
            "path": {"steps": steps, "x": along, "y": [a * a for a in along],
                     "loss": [0.2 + 4 * a for a in along], "exact": True},
        })
    return check_document({**_settings(name, "random"), "planes": planes, "statistics": {
        "basin_share": _spread(0.4, 0.42), "nonconvex_share": _spread(0.1, 0.1),
        "roughness": _spread(2.0, 2.0), "width": _spread(1.2, 1.2),
        "width_is_bound": _spread(0.0, 0.0), "uphill_share": _spread(0.1, 0.1),
    }, "sharpness": {
        "largest": _spread(14.0, 15.0), "smallest": _spread(-1.0, -0.5), "limit": 2 / 15,
        "rate": 0.1, "verdict": "acquitted", "samples": 512,
        "text": "The learning rate 0.1 is below 2 / lambda_max = 0.133.",
    }})


def line_record(name: str = "line") -> dict[str, Any]:
    """A line between two sets of weights, without sharpness."""
    axis = np.linspace(-0.25, 1.25, 51)
    return check_document({**_settings(name, "between"), "planes": [{
        "seed": 0, "labels": ["to the other weights"], "explained": [], "x": axis.tolist(),
        "y": None, "values": {"loss": (0.2 + axis**2).tolist()}, "evaluated": 51,
        "complete": True, "statistics": {"basin_share": 0.5}, "path": None,
    }], "statistics": {"basin_share": _spread(0.5)}, "sharpness": None})


def _settings(name: str, directions: str) -> dict[str, Any]:
    return {
        "schema": 1, "name": name, "model": "mlp", "parameters": 5000,
        "loss": "sparse_categorical_crossentropy", "directions": directions,
        "unit": "length of each filter", "batch_norm": "re-estimated", "samples": 1024,
        "batch": 512, "validation_samples": 0, "level": math.log(10), "seed": 0,
        "level_reason": "ln 10, a constant prediction", "end_loss": 0.2, "evaluations": 400,
        "grid_points": 1250, "seconds": 12.5, "complete": True,
        "notes": ["Batch normalization is re-estimated at each point."],
    }


def _spread(*values: float) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)), "values": list(values),
        "deviation": float(np.std(values, ddof=1)) if len(values) > 1 else None,
    }
