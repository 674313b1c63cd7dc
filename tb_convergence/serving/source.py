"""The interface through which serving reads runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tb_convergence.core.history import RunHistory
from tb_convergence.reading.landscapes import RecordedLandscapes
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.recorded_histograms import RecordedHistograms


@dataclass(frozen=True, slots=True)
class Scope:
    """On whose behalf data is read; passed to every call of the data provider.

    Attributes:
        context: TensorBoard's request context (authentication).
        experiment_id: TensorBoard's experiment; "" for a log directory.
        tags: what the person who asks said that histograms mean.
    """

    context: Any
    experiment_id: str
    tags: tuple[TagRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """How far a run has been read by TensorBoard.

    Attributes:
        digest: changes whenever TensorBoard has read more of the run.
        latest_seconds: wall time of the newest record, seconds since the epoch; 0 where unknown.
    """

    digest: str
    latest_seconds: float = 0.0


class RunSource(Protocol):
    """Runs and their histories."""

    def versions(self, scope: Scope, run: str | None = None) -> Mapping[str, Version]:
        """The runs that exist now, or only `run` if it does; cheap, called on every request."""

    def history(self, scope: Scope, run: str) -> RunHistory:
        """All that is known of `run`; may take seconds, and may raise anything."""

    def histograms(
        self, scope: Scope, run: str, variable: str
    ) -> tuple[RecordedHistograms, ...]:
        """Histograms of one variable of `run`; empty without any. Raises as `history` does."""

    def landscapes(
        self, scope: Scope, run: str, name: str | None = None
    ) -> RecordedLandscapes:
        """Landscapes of `run`, or the one of `name`; empty without any. Raises as `history`."""


class NoSuchRunError(LookupError):
    """The run does not exist, or does not exist any more."""


class UnavailableError(RuntimeError):
    """No run can be read at this moment; the text is safe to show."""
