"""Findings while the training runs: the rules of the tab, applied to the records so far.

Looks are spaced geometrically in the number of records, so that all of them together cost a fixed
number of times what the last one does; their time counts as the recorder's own, within `overhead`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis import Change, Finding, Monitor, diagnose_history
from tb_convergence.core.diagnosis.monitor import OPENS_AFTER
from tb_convergence.core.text.numbers import confidence
from tb_convergence.training.host.live_options import OnFinding
from tb_convergence.training.host.recent_history import KeptHistory

logger = logging.getLogger("tb_convergence")

FIRST_LOOK: Final = 5
"""Records before the first look."""
GROWTH: Final = 1.25
"""Records at a look over those at the previous one."""
FREE_SECONDS: Final = 1.0
"""Looks of a whole training that are free, as the first second of recording is."""

_DAMAGE: Final = (
    "gradient_nan_fraction", "gradient_inf_fraction", "variable_nonfinite_fraction"
)


class Live:
    """Looks at a run while it trains. Its methods never raise.

    Args:
        log_dir: of the run, for log lines.
        on_finding: called with each finding that opens; what it raises is logged once.
        stop_on: severities and ids of findings at which `stop` is called, once.
        overhead: share of the training time that looks may cost beyond the free second.
    """

    def __init__(
        self,
        log_dir: str,
        *,
        on_finding: OnFinding | None = None,
        stop_on: Collection[str] = (),
        stop: Callable[[], None] | None = None,
        overhead: float = 0.01,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._run = os.path.basename(os.path.normpath(log_dir)) or "run"
        self._history = KeptHistory(self._run)
        self._monitors: dict[str, Monitor] = {}
        self._told: set[tuple[str, str]] = set()
        self._on_finding = on_finding
        self._stop_on = frozenset(stop_on)
        self._stop = stop
        self._overhead = overhead
        self._clock = clock
        self._began = clock()
        self._spent = self._latest = self._owed = 0.0
        self._next = FIRST_LOOK
        self._urgent = self._incident = False
        self._failed = self._stopped = self._complained = False

    # ---- what is recorded -----------------------------------------------------------------

    def config(self, document: Mapping[str, Any]) -> None:
        """Note the run's configuration when it is written."""
        self._history.config = dict(document)

    def record(
        self, content: bytes, values: NDArray[np.float32], step: int, wall_time: float
    ) -> None:
        """One record of the layout that is encoded as `content`, as it is written."""
        if self._failed:
            return
        try:
            layout = self._history.add(content, values, step, wall_time)
            if layout.group == "epoch":
                self._urgent = True
            elif not self._incident and _damaged(layout.columns, values):
                self._incident = self._urgent = True
        except Exception as error:
            self._give_up(error)

    # ---- looks ----------------------------------------------------------------------------

    def look(self, last: bool = False) -> float:
        """Diagnose if it is time to, or if the training is over; seconds it took."""
        if self._failed or not self._history.records or not (last or self._due()):
            return 0.0
        began = self._clock()
        self._urgent = False
        self._next = max(self._next, ceil(self._history.records * GROWTH))
        try:
            for model, history in self._history.histories(growing=not last).items():
                monitor = self._monitors.setdefault(model, Monitor())
                diagnosis = diagnose_history(history)
                # The last look counts as often as opening takes: there is no second one.
                for _ in range(OPENS_AFTER if last else 1):
                    for change in monitor.update(diagnosis):
                        self._tell(model, change)
                if not last:
                    self._consider(monitor)
        except Exception as error:
            self._give_up(error)
        self._latest = self._clock() - began
        self._spent += self._latest
        self._owed += self._latest
        return self._latest

    def owed(self) -> float:
        """Seconds of looks that nobody has asked for yet: who asks counts them as its own."""
        owed, self._owed = self._owed, 0.0
        return owed

    def _due(self) -> bool:
        if not self._urgent and self._history.records < self._next:
            return False
        allowed = FREE_SECONDS + self._overhead * (self._clock() - self._began)
        return self._spent + self._latest <= allowed

    def _tell(self, model: str, change: Change) -> None:
        finding, key = change.finding, (model, change.id)
        name = f"{self._run} ({model})" if model else self._run
        if change.what == "closed":
            if key in self._told:
                self._told.discard(key)
                logger.warning("%s, step %d: recovered: %s", name, change.step, finding.title)
            return
        # A symptom that a cause explains is told with its cause; a note asks for nothing.
        if finding.severity == "info" or finding.explained_by is not None:
            return
        self._told.add(key)
        logger.warning("%s, step %d: %s", name, change.step, _line(finding))
        if self._on_finding is not None:
            try:
                self._on_finding(finding)
            except Exception as error:
                self._complain(error)

    def _consider(self, monitor: Monitor) -> None:
        """Stop the training if a finding that is open asks for it."""
        if self._stopped or self._stop is None:
            return
        for finding in monitor.open:
            if {finding.severity, finding.id} & self._stop_on:
                self._stopped = True
                logger.warning("%s: stopping the training because of stop_on: "
                               "%s", self._run, finding.title)
                self._stop()
                return

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            logger.warning(
                "on_finding raised %s: %s; the training continues", type(error).__name__, error
            )

    def _give_up(self, error: Exception) -> None:
        self._failed = True
        logger.warning(
            "live findings stop; recording continues: %s: %s",
            type(error).__name__, error,
        )


def _damaged(columns: Sequence[str], values: NDArray[np.float32]) -> bool:
    """Whether a record tells of NaN or Inf in a gradient or a variable."""
    places = [columns.index(name) for name in _DAMAGE if name in columns]
    return bool(np.nansum(values[:, places]) > 0)


def _line(finding: Finding) -> str:
    advice = f" Try: {finding.advice[0]}" if finding.advice else ""
    return (
        f"{finding.title} ({finding.severity}, {confidence(finding.confidence)} sure, "
        f"since step {finding.first_step}). {finding.summary}{advice}"
    )
