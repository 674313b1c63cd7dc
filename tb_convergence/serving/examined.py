"""Reads and diagnoses each run once, even if many requests ask for it at the same time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tb_convergence.core.diagnosis import RunDiagnosis, replay
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.landscapes import RecordedLandscapes
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.recorded_histograms import RecordedHistograms
from tb_convergence.serving import payloads
from tb_convergence.serving.admission_queue import AdmissionQueue
from tb_convergence.serving.bounded_executor import BoundedExecutor
from tb_convergence.serving.cache import Cache
from tb_convergence.serving.failures import Failures
from tb_convergence.serving.limits import Limits
from tb_convergence.serving.source import RunSource, Scope
from tb_convergence.serving.strict_json import Json


@dataclass(frozen=True, slots=True)
class RunKey:
    """One run as TensorBoard has read it so far, and as the person who asks has it read: what
    everything remembered is remembered by.
    """

    experiment_id: str
    run: str
    digest: str
    tags: tuple[TagRule, ...] = ()


def followed(history: RunHistory, diagnosis: RunDiagnosis) -> RunDiagnosis:
    """`diagnosis` of `history` with what looking again at the run as it grew adds to it."""
    return replay(history, diagnosis=diagnosis).diagnosis


class Examined:
    """The runs of one source. Thread-safe.

    Attributes:
        desk: the runs that are worked on now.
        histories: what was read of runs, as far as there is room.
        failures: runs that failed lately.
    """

    def __init__(
        self,
        source: RunSource,
        diagnose: Callable[[RunHistory], RunDiagnosis],
        follow: Callable[[RunHistory, RunDiagnosis], RunDiagnosis],
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        """As `Service`."""
        wait = limits.wait_seconds
        self._source = source
        self._diagnose = diagnose
        self._follow = follow
        self.histories: Cache[RunKey, RunHistory] = Cache(limits.history_bytes, held_bytes, wait)
        self._diagnoses: Cache[RunKey, tuple[RunDiagnosis, Json]] = Cache(
            limits.diagnoses, wait_seconds=wait
        )
        self.queue: AdmissionQueue[RunKey, RunHistory] = AdmissionQueue(limits.concurrent_runs)
        self._reading = BoundedExecutor(limits.concurrent_reads, "read runs", wait)
        self._following = BoundedExecutor(limits.concurrent_replays, "follow runs", wait)
        self.failures = Failures(limits.failure_seconds, clock)

    def history(self, scope: Scope, key: RunKey) -> RunHistory:
        """The data of a run."""

        def read() -> RunHistory:
            return self._reading.run(lambda: self._source.history(scope, key.run))

        known = self.queue.look(key)
        if known is None:
            known = self.failures.guarded(key, "read", lambda: self.histories.get(key, read))
            self.queue.put(key, known)
        return known

    def diagnosed(self, scope: Scope, key: RunKey) -> tuple[RunDiagnosis, Json]:
        """The diagnosis of a run, and its entry in `runs`."""

        def compute() -> tuple[RunDiagnosis, Json]:
            history = self.history(scope, key)
            diagnosis = self._diagnose(history)
            return diagnosis, payloads.summary(history, diagnosis)

        return self.failures.guarded(key, "diagnosed", lambda: self._diagnoses.get(key, compute))

    def known_entry(self, key: RunKey) -> Json | None:
        """The entry of `runs` of a run that is diagnosed; else None."""
        known = self._diagnoses.peek(key)
        return None if known is None else known[1]

    def followed(self, scope: Scope, key: RunKey) -> tuple[RunHistory, RunDiagnosis]:
        """A run, and what is said of it when it is looked at again as it grew.

        Tens of diagnoses: for the run that is looked at, not for every run that is listed.
        """
        diagnosis, _ = self.diagnosed(scope, key)

        def follow() -> tuple[RunHistory, RunDiagnosis]:
            history = self.history(scope, key)
            return history, self._follow(history, diagnosis)

        return self._following.run(follow)

    def histograms(self, scope: Scope, run: str, name: str) -> tuple[RecordedHistograms, ...]:
        """Histograms that were logged of the variable `name`."""
        return self._reading.run(lambda: self._source.histograms(scope, run, name))

    def landscapes(self, scope: Scope, run: str, name: str | None) -> RecordedLandscapes:
        """Landscapes that were computed of a run, or the one of `name`."""
        return self._reading.run(lambda: self._source.landscapes(scope, run, name))


def held_bytes(history: RunHistory) -> float:
    """Approximate memory of `history` in bytes."""
    total = 10_000.0
    for table in history.tables.values():
        total += table.low.nbytes + table.steps.nbytes + table.wall_times.nbytes
        total += 0 if table.exact else table.high.nbytes
        total += 500 * len(table.rows)
    for series in history.scalars.values():
        total += series.steps.nbytes + series.values.nbytes + series.wall_times.nbytes
    return total + 500 * len(history.skipped)
