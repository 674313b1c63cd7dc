"""How far a stated confidence can be trusted, judged on families it was not calibrated on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.figures import Figures
from zoo.outcome import GRAVE, Outcome

STEPS = 200
PRIOR = 1.0
"""Strength of the pull toward the stated confidence: a family may have few findings."""


def verdicts(outcomes: Sequence[Outcome]) -> list[tuple[float, bool]]:
    """Stated confidence of each cause of warning or worse that stands by itself, and if it is true.

    A cause that is true beside the expected one counts as true.
    """
    return [
        (finding.confidence, finding.id in (*outcome.expected, *outcome.also))
        for outcome in outcomes
        for finding in outcome.findings
        if finding.kind == "cause" and finding.severity in GRAVE and finding.explained_by is None
    ]


def logit(p: np.ndarray) -> np.ndarray:
    """Log odds, kept finite."""
    p = np.clip(p, 0.01, 0.99)
    return np.log(p / (1 - p))


def fit(stated: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Slope and shift of the log odds (Platt 1999) that make `stated` fit `true` best.

    Newton's method on the likelihood with a normal prior around "as stated" (1, 0).
    """
    x = np.stack([logit(stated), np.ones(len(stated))], 1)
    start = np.array([1.0, 0.0])
    w = start.copy()
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (p - true) + PRIOR * (w - start)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + PRIOR * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        w = w - step
        if np.abs(step).max() < 1e-10:
            break
    return float(w[0]), float(w[1])


def brier(p: np.ndarray, true: np.ndarray) -> float:
    """Mean squared error of a probability."""
    return float(np.mean((p - true) ** 2)) if len(p) else float("nan")


def families_left_out(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """One row per family and one for all: its own figures, and calibration learnt elsewhere."""
    families = list(dict.fromkeys(outcome.family for outcome in outcomes))
    errors: list[tuple[float, float]] = []
    rows: list[tuple[str, ...]] = []
    for family in families:
        own = [o for o in outcomes if o.family == family]
        others = verdicts([o for o in outcomes if o.family != family])
        here = verdicts(own)
        stated, true = _arrays(here)
        applied = stated
        if others and len(here):
            slope, shift = fit(*_arrays(others))
            applied = 1 / (1 + np.exp(-(slope * logit(stated) + shift)))
        errors += zip((stated - true) ** 2, (applied - true) ** 2, strict=True)
        rows.append((family, *_own(own), str(len(here)), f"{brier(stated, true):.3f}",
                     f"{brier(applied, true):.3f}"))
    both = np.array(errors).reshape(-1, 2).mean(axis=0) if errors else np.full(2, np.nan)
    rows.append(("all", *_own(outcomes), str(len(errors)), f"{both[0]:.3f}", f"{both[1]:.3f}"))
    return rows


def _own(outcomes: Sequence[Outcome]) -> tuple[str, str, str]:
    figures = Figures.of(outcomes)
    return str(figures.any), str(figures.first), str(figures.quiet)


def _arrays(pairs: Sequence[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    array = np.array(pairs, float).reshape(-1, 2)
    return array[:, 0], array[:, 1]
