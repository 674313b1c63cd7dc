"""The loss of single batches shoots up and comes back.

The recorder follows the loss of every step, also between records, and records the largest loss of
each window.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

TIMES: Final = 5.0
NOISE: Final = 10.0
OF_START: Final = 0.5
MANY: Final = 3
SMALL_BATCH: Final = 8


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    run, trajectory = history.table("run"), loss_trajectory(history)
    size = configuration(history).batch_size
    if run is None or trajectory is None or (size is not None and size < SMALL_BATCH):
        return None
    name = "window_loss_max" if run.has("window_loss_max") else "loss"
    if not run.has(name):
        return None
    peaks = run.column(name)[:, 0].astype(np.float64)
    level = np.interp(run.steps.astype(float), trajectory.steps.astype(float), trajectory.level)
    baseline = baseline_loss(history)
    # The level at a spike contains the spike itself, so compare with its neighbors.
    around = np.maximum(_shifted(level, 1), _shifted(level, -1))
    bound = np.maximum.reduce([
        TIMES * np.abs(around), around + NOISE * trajectory.noise,
        np.full(len(around), OF_START * abs(trajectory.start if baseline is None else baseline)),
    ])
    with np.errstate(invalid="ignore"):
        high = np.isfinite(peaks) & (peaks > bound)
    high[:1] = False
    # A spike that does not come back is a divergence.
    back = np.flatnonzero(trajectory.level <= np.median(trajectory.level))
    until = int(trajectory.steps[back[-1]]) if len(back) else -1
    found = np.flatnonzero(high & (run.steps <= until))
    if not len(found):
        return None
    worst = int(found[np.argmax(peaks[found])])
    times = peaks[worst] / max(abs(float(around[worst])), 1e-30)
    often = "once" if len(found) == 1 else f"{len(found)} times"
    return Match(
        "warning" if len(found) >= MANY and not learns(history) else "info",
        min(0.8, 0.5 + 0.05 * len(found)),
        f"The loss of single batches shot up {often}, to "
        f"{number(peaks[worst], 4)} by step {int(run.steps[worst]):,} ({number(times)} times the "
        "level around it), and came back.",
        int(run.steps[found[0]]), int(run.steps[found[-1]]), (),
        (
            Evidence("spike_height", times, TIMES, int(run.steps[worst])),
            Evidence("spike_windows", float(len(found)), float(MANY), side="at least")
            if len(found) >= MANY else Evidence("spike_windows", float(len(found))),
        ),
    )


def _shifted(values: np.ndarray, by: int) -> np.ndarray:
    """`values` of the neighboring record, `by` records later; the first and last record repeat."""
    index = np.clip(np.arange(len(values)) + by, 0, max(0, len(values) - 1))
    return values[index]


RULE = Rule(
    id="loss-spike",
    kind="symptom",
    title="The loss spikes",
    needs=("window_loss_max|loss",),
    at_least=10,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "spike_height", high=TIMES,
            source="A divergence raises the windows around it as well, so it is no spike.",
        ),
        Threshold(
            "spike_over_noise", high=NOISE,
            source="Relative to the noise: the standard deviation of the loss of one batch.",
        ),
        Threshold(
            "spike_over_baseline", high=OF_START,
            source=(
                "Relative to the baseline loss, or to the first loss. Near zero, any hard sample "
                "causes a spike."
            ),
        ),
        Threshold("spike_windows", high=MANY, source=(
            "One spike may be a single bad batch. Three show a pattern."
        )),
        Threshold(
            "batch_size", high=SMALL_BATCH,
            source="In a smaller batch, the worst sample dominates the loss.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "spike_over_noise", "largest loss over the level around it, in standard deviations",
            ("window_loss_max",),
        ),
        Measure(
            "spike_over_baseline", "largest loss over the baseline loss, or over the start",
            ("window_loss_max",), "fraction",
        ),
        Measure("spike_height", "largest loss over the level around it", ("window_loss_max",)),
        Measure("spike_windows", "windows with a spike"),
    ),
    shows=("loss", "gradient_norm"),
    advice=(
        "Inspect the batch of that step: does it contain an outlier, a wrong label or an empty "
        "sample?",
        "Clip by global norm (global_clipnorm=1.0) against outliers. With Adam, try a larger "
        "epsilon or a smaller beta_2.",
    ),
    falsified_by=("The same batch has an ordinary loss when it is run again at the same weights.",),
    false_alarms=("Small batches of very different samples: variable-length sequences, rare "
                  "classes.",),
    references=("Chowdhery et al. 2022, PaLM, arXiv:2204.02311, 5.1", "Pascanu et al. 2013"),
)
