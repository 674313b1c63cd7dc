"""Effect of the first steps on a run: on its weights and its loss, and which units died.

This module measures. The rule that asks decides whether it was too much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.onsets import sound_part
from tb_convergence.core.diagnosis.table_columns import largest_per_record, weights_column
from tb_convergence.core.history import RunHistory


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """A run's first steps, and what is left of its start.

    Attributes:
        last: the last of them that was recorded.
        update_ratio: the largest of a layer.
        growth: norm of a layer's weights at `last` over the first, of the layer that grew most; 0
            where no norm is known.
        peak: highest loss among them over the first loss.
        layer: the one of whose units most have died since the first record.
        dead_before, dead_since, dead: parts of its units that were dead at the first record, that
            have died since, and that are dead at the last.
        dead_at: step of that last record.
    """

    last: int
    update_ratio: float
    growth: float
    peak: float
    layer: str
    dead_before: float
    dead_since: float
    dead: float
    dead_at: int


def first_steps(history: RunHistory, until: int, least_records: int) -> FirstSteps | None:
    """The steps up to `until`, described by weights, updates, outputs and loss.

    None if one of these was not recorded, or not from step 0 on, or if units were recorded fewer
    than `least_records` times.
    """
    trajectory, table = loss_trajectory(history), history.table("variables")
    # Units that became NaN are not dead.
    outputs = sound_part(history).table("activations")
    if trajectory is None or table is None or outputs is None:
        return None
    known = table.has("update_ratio") and table.has("variable_norm")
    if not known or not outputs.has("activation_dead_fraction"):
        return None
    if not len(table.steps) or int(table.steps[0]) != 0 or len(outputs.steps) < least_records:
        return None
    early = table.steps <= until
    ratio = largest_per_record(weights_column(table, "update_ratio", "low"))[early]
    norm = weights_column(table, "variable_norm").astype(np.float64)[early]
    dead = outputs.column("activation_dead_fraction", "low")
    died = np.nan_to_num(dead[-1]) - np.nan_to_num(dead[0])
    if not np.isfinite(ratio).any() or not len(died):
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.where(norm[0] > 0, norm[-1] / norm[0], np.nan)
    peak = float(np.max(trajectory.level[trajectory.steps <= until], initial=0.0))
    unit = int(np.argmax(died))
    return FirstSteps(
        last=int(table.steps[early][-1]),
        update_ratio=float(np.nanmax(ratio)),
        growth=float(np.nanmax(growth, initial=0.0)),
        peak=peak / max(abs(float(trajectory.level[0])), 1e-30),
        layer=outputs.rows[unit].layer,
        dead_before=float(dead[0, unit]),
        dead_since=float(died[unit]),
        dead=float(dead[-1, unit]),
        dead_at=int(outputs.steps[-1]),
    )
