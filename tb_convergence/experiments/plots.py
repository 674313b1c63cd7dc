"""Pictures of results with matplotlib, which is imported only when one is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.experiments.ablation import Ablation
    from tb_convergence.experiments.learning_rate import RangeTest
    from tb_convergence.experiments.memorizing import Ladder
    from tb_convergence.experiments.prescription import Prescription


def axes(ax: Any) -> Any:
    """`ax`, or new axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot  # noqa: PLC0415 - optional
    except ImportError as error:
        raise ImportError("plot() needs matplotlib: pip install matplotlib") from error
    return pyplot.subplots()[1]


def draw_range_test(result: RangeTest, ax: Any = None) -> Any:
    """The smoothed loss over the rate, with the rates in use, suggested, and highest stable."""
    ax = axes(ax)
    for place, curve in enumerate(result.curves):
        ax.plot(curve.rates, curve.losses, color="0.8", linewidth=0.7)
        ax.plot(curve.rates, curve.smoothed, color="tab:blue",
                label="loss, smoothed" if place == 0 else None)
    for rate, name, color in (
        (result.rate_in_use, "in use", "tab:orange"),
        (result.suggested, "suggested", "tab:green"),
        (result.highest_stable, "highest stable", "tab:red"),
    ):
        if rate is not None and math.isfinite(rate):
            ax.axvline(rate, color=color, linestyle="--", label=f"{name}: {rate:.2g}")
    ax.set_xscale("log")
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss of the step")
    ax.legend()
    return ax


def draw_ladder(result: Ladder, ax: Any = None) -> Any:
    """The share that was learned for each number of samples, and the limit."""
    ax = axes(ax)
    names = [str(rung.size) for rung in result.rungs]
    colors = ["tab:green" if rung.memorized else "tab:red" for rung in result.rungs]
    ax.bar(names, [rung.score for rung in result.rungs], color=colors)
    ax.set_xlabel("samples")
    ax.set_ylabel(f"{result.measure} on these samples")
    return ax


def draw_ablation(result: Ablation, ax: Any = None) -> Any:
    """The difference that each change makes, with its interval; right of 0 is better."""
    ax = axes(ax)
    shown = [one for one in result.effects if math.isfinite(one.difference.mean)][::-1]
    for place, effect in enumerate(shown):
        one = effect.difference
        color = "tab:green" if one.helps else "tab:red" if one.hurts else "0.6"
        width = [[one.mean - one.low], [one.high - one.mean]] if math.isfinite(one.low) else None
        ax.errorbar([one.mean], [place], xerr=width, fmt="o", color=color)
    ax.set_yticks(range(len(shown)), [effect.change.title for effect in shown])
    ax.axvline(0.0, color="0.8")
    ax.set_xlabel(f"difference in {result.measure}")
    return ax


def draw_prescription(result: Prescription, ax: Any = None) -> Any:
    """A dot for each short training, and for each proof the seeds with (filled) and without.

    What diverged has a line and no dot.
    """
    ax = axes(ax)
    sign = -1 if result.task is None else 1
    tried = sorted((one for one in result.candidates if one.value is not None),
                   key=lambda one: one.value or 0.0)
    rows = [("unchanged", result.unchanged), *((one.change.title, one.value) for one in tried)]
    for place, (_, value) in enumerate(rows):
        if value is not None and math.isfinite(value):
            ax.plot([sign * value], [place], "o", color="tab:blue" if place else "0.5")
    names = [name for name, _ in rows]
    for proof in result.proofs:
        place = len(names)
        color = "tab:green" if proof.proven else "0.5"
        for values, fill in ((proof.before, "none"), (proof.after, "full")):
            fine = [sign * value for value in values if math.isfinite(value)]
            ax.plot(fine, [place] * len(fine), "o", color=color, fillstyle=fill)
        names.append(f"{'proven' if proof.proven else 'not proven'}, {proof.steps} steps: "
                     + ", ".join(change.title for change in proof.changes))
    ax.set_yticks(range(len(names)), names)
    measure = "loss" if result.task is None else result.task.measure
    ax.set_xlabel(f"{measure} on held-out samples ({result.short_steps} steps where not stated)")
    return ax
