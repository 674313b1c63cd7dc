"""Lists and reads runs through TensorBoard's data provider."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tensorboard import errors
from tensorboard.data.provider import RunTagFilter

from tb_convergence.core.history import RunHistory
from tb_convergence.reading import (
    DataSource,
    DataUnavailableError,
    RunNotFoundError,
    TagRule,
)
from tb_convergence.reading.integrity import Report
from tb_convergence.reading.landscapes import RecordedLandscapes, read_landscapes
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.recorded_histograms import (
    RecordedHistograms,
    read_recorded_histograms,
)
from tb_convergence.reading.run_files import RunFiles, local_logdir
from tb_convergence.reading.runs import FoldedRun, fold_run, fold_runs
from tb_convergence.reading.sampling import MOST_KEPT
from tb_convergence.reading.tensorboard.answer_latency import answering_at_once
from tb_convergence.reading.tensorboard.compat import is_data_server, multiplexer_parts
from tb_convergence.reading.tensorboard.data_source import LISTED
from tb_convergence.reading.tensorboard.lazy_tensors import with_lazy_tensors
from tb_convergence.reading.tensorboard.reload_guard import problems_of
from tb_convergence.serving.source import NoSuchRunError, Scope, UnavailableError, Version

RECENT_SECONDS: Final = 2.0
"""So long a list of runs says of which runs of TensorBoard's each is made."""

_ASKING: Final = 16 * len(LISTED)
"""Lists that are asked for at the same time, whatever the number of clients."""


class ProviderSource:
    """The `DataSource` behind a `tensorboard.data.provider.DataProvider`."""

    def __init__(
        self,
        provider: Any,
        tags: Sequence[TagRule] = (),
        most_kept: Mapping[str, Collection[int]] = MOST_KEPT,
        logdir: object = None,
    ) -> None:
        """Args:
            provider: None if TensorBoard was started without one.
            tags: what histograms mean, where a request does not say otherwise.
            most_kept: points of a series that the loader keeps at most, by plugin.
            logdir: what TensorBoard reads; files of a local directory are checked for damage.
        """
        held = multiplexer_parts(provider)
        self._multiplexer = None if held is None else held[0]
        self._files = RunFiles(local_logdir(logdir))
        self._marks: dict[str, tuple[str, ...]] = {}
        self._provider = answering_at_once(with_lazy_tensors(provider))
        self._tags = tuple(tags)
        self._most_kept = most_kept
        self._recent = _Recent()
        self._asking = ThreadPoolExecutor(_ASKING, thread_name_prefix="list runs")

    def versions(self, scope: Scope, run: str | None = None) -> dict[str, Version]:
        """Runs and how far TensorBoard has read them.

        Both loaders give the largest step and wall time of every tag; one of them moves with any
        record that is read, except one that repeats a step with a clock that stands still.

        Raises:
            UnavailableError: the data provider does not answer.
            PublicError: it refuses, for instance this user.
        """
        if self._provider is None:
            raise UnavailableError("TensorBoard was started without a data provider")
        try:
            if run is None:  # all of everything, so nobody has to wait for the names
                asked = self._asked(scope, None)
                folded = fold_runs(self._names(scope))
            else:
                one = fold_run(run, self._names(scope))
                if self._recent.runs.get(run) != one:
                    self._recent = _Recent()  # it has more or fewer parts than just now
                folded = () if one is None else (one,)
                for found in folded:
                    self._look(found)
                asked = () if one is None else self._asked(scope, one.members)
            listings = [listed.result() for listed in asked]
        except errors.PublicError:
            raise
        except Exception as error:
            raise UnavailableError(
                f"TensorBoard's data cannot be listed now ({type(error).__name__}); try again"
            ) from error
        if run is None:
            runs = {one.name: one for one in folded}
            self._recent = _Recent(scope.experiment_id, time.monotonic(), runs)
        return {
            one.name: _version(one, listings, self._marks.get(one.name, ())) for one in folded
        }

    def _names(self, scope: Scope) -> list[str]:
        """TensorBoard's runs."""
        listing = self._provider.list_runs(scope.context, experiment_id=scope.experiment_id)
        return [found.run_name for found in listing]

    def _asked(
        self, scope: Scope, runs: Iterable[str] | None
    ) -> Sequence[Future[Mapping[str, Mapping[str, Any]]]]:
        """Lists of all series of `runs`, on their way; of all runs without."""
        return [
            self._asking.submit(self._listing, scope, method, plugin, runs)
            for method, plugin in LISTED
        ]

    def _listing(
        self, scope: Scope, method: str, plugin: str, runs: Iterable[str] | None
    ) -> Mapping[str, Mapping[str, Any]]:
        listing: Mapping[str, Mapping[str, Any]] = getattr(self._provider, method)(
            scope.context,
            experiment_id=scope.experiment_id,
            plugin_name=plugin,
            run_tag_filter=RunTagFilter(runs=runs),
        )
        return listing

    def history(self, scope: Scope, run: str) -> RunHistory:
        """All that is known of `run`.

        Raises:
            NoSuchRunError: it is gone.
            UnavailableError: the data provider does not answer.
        """
        with _translated(run):
            listed = self._recent.find(scope.experiment_id, run)
            if listed is not None:
                found = self._read(scope, listed)
                if found.tables or found.scalars:  # else it may be gone by now
                    return found
            known = fold_run(run, self._names(scope))
            if known is None:
                raise NoSuchRunError(run)
            return self._read(scope, known)

    def _read(self, scope: Scope, run: FoldedRun) -> RunHistory:
        """`run`, with what its files tell of damage; around the data server where that drops
        records because of their clocks.
        """
        reports = self._look(run)
        clocks = {member: one.bad_clocks for member, one in reports.items() if one.bad_clocks}
        source = replace(
            self._source(scope), bad_clocks=clocks,
            problems={member: self._problems(member, one) for member, one in reports.items()},
        )
        if clocks and is_data_server(self._provider):
            around = self._files.read_around(run, source.patterns, clocks)
            if around is not None:
                return around
        source.prefetch(run.members)
        return read_folded(source, run)

    def _look(self, run: FoldedRun) -> Mapping[str, Report]:
        """Look at the files of `run`, and remember what is wrong with them."""
        reports = self._files.reports(run)
        mark = tuple(problem for one in reports.values() for problem in one.problems)
        clocks = sum(one.bad_clocks for one in reports.values())
        if clocks:
            # The data server lists no such record, so that nothing else tells of a new one.
            mark += (f"{clocks} clocks",)
        if mark:
            self._marks[run.name] = mark
        else:
            self._marks.pop(run.name, None)
        return reports

    def _problems(self, member: str, report: Report) -> tuple[str, ...]:
        """Why data of a member may be missing, from its files and from TensorBoard's reading."""
        return (*report.problems, *problems_of(self._multiplexer, member))

    def histograms(
        self, scope: Scope, run: str, variable: str
    ) -> tuple[RecordedHistograms, ...]:
        """Histograms of one variable of `run`; raises as `history` does."""
        with _translated(run):
            source = self._source(scope)
            folded = fold_run(run, source.runs())
            if folded is None:
                raise NoSuchRunError(run)
            return read_recorded_histograms(source, folded.training, variable)

    def landscapes(
        self, scope: Scope, run: str, name: str | None = None
    ) -> RecordedLandscapes:
        """Landscapes of `run`, or the one of `name`; raises as `history` does."""
        with _translated(run):
            source = self._source(scope)
            folded = fold_run(run, source.runs())
            if folded is None:
                raise NoSuchRunError(run)
            return read_landscapes(source, folded.members, name)

    def _source(self, scope: Scope) -> DataSource:
        return DataSource(
            self._provider, scope.context, scope.experiment_id,
            most_kept=self._most_kept, patterns=(*scope.tags, *self._tags),
        )


@dataclass(frozen=True, slots=True)
class _Recent:
    """Runs as they were when all of them were last listed; TensorBoard takes long over thousands.

    A request that lists runs reads some of them right after that, and need not list them again.
    """

    experiment_id: str = ""
    at: float = -math.inf
    runs: Mapping[str, FoldedRun] = field(default_factory=dict)

    def find(self, experiment_id: str, run: str) -> FoldedRun | None:
        """`run`, if it was listed just now."""
        fresh = time.monotonic() - self.at < RECENT_SECONDS
        return self.runs.get(run) if fresh and experiment_id == self.experiment_id else None


@contextmanager
def _translated(run: str) -> Iterator[None]:
    """Errors of reading `run` in the words of serving."""
    try:
        yield
    except RunNotFoundError as error:
        raise NoSuchRunError(run) from error
    except DataUnavailableError as error:
        raise UnavailableError("TensorBoard's data server does not answer; try again") from error


def _version(
    run: FoldedRun, listings: Iterable[Mapping[str, Mapping[str, Any]]], mark: tuple[str, ...]
) -> Version:
    digest = hashlib.sha256(repr(mark).encode() if mark else b"")
    latest = 0.0
    for listing in listings:
        for member in run.members:
            for tag, series in sorted(listing.get(member, {}).items()):
                end = repr((member, tag, series.max_step, series.max_wall_time))
                digest.update(end.encode("utf-8", "surrogatepass"))
                latest = max(latest, series.max_wall_time or 0.0)
    return Version(digest.hexdigest(), latest)
