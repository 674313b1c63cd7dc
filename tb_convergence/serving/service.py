"""Builds the replies of the routes once and caches them; knows nothing of HTTP.

One broken run must not hide the others, and fifty clients must not read a run fifty times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from tb_convergence import __version__
from tb_convergence.core.comparison import compare
from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.reading.recorded_histograms import recorded_magnitudes
from tb_convergence.serving import comparing, experiments, landscapes, lines, payloads
from tb_convergence.serving.cache import BusyError, Cache
from tb_convergence.serving.derived import derived
from tb_convergence.serving.examined import Examined, RunKey, followed
from tb_convergence.serving.failures import RunUnreadableError
from tb_convergence.serving.heatmap import heatmap
from tb_convergence.serving.histogram_document import histogram_document
from tb_convergence.serving.limits import LIMITS, Limits, quoted, shortened
from tb_convergence.serving.parameters import RefusedError
from tb_convergence.serving.replies import BINARY, JSON, Reply, reply
from tb_convergence.serving.source import (
    NoSuchRunError,
    RunSource,
    Scope,
    UnavailableError,
    Version,
)
from tb_convergence.serving.strict_json import Json, encode


class Service:
    """The plugin's answers about the runs of one source. Thread-safe."""

    def __init__(
        self,
        source: RunSource,
        diagnose: Callable[[RunHistory], RunDiagnosis] = diagnose_history,
        limits: Limits = LIMITS,
        clock: Callable[[], float] = time.monotonic,
        follow: Callable[[RunHistory, RunDiagnosis], RunDiagnosis] = followed,
    ) -> None:
        """Args:
            source: where runs come from.
            diagnose: what is said of a history.
            limits: bounds of every reply.
            clock: seconds, for the time budget.
            follow: adds to a diagnosis when each finding was first reported, and what is over.
        """
        self.limits = limits
        self._source = source
        self._clock = clock
        self._runs = Examined(source, diagnose, follow, limits, clock)
        self._replies: Cache[tuple[RunKey, str], Reply] = Cache(
            limits.reply_cache_bytes, lambda kept: len(kept.packed) + 500.0, limits.wait_seconds
        )

    def runs(self, scope: Scope, offset: int = 0) -> Reply:
        """The document of `runs`; see docs/http_api.md for how it is paged and what "pending" is.

        Raises:
            RefusedError: 503, no runs can be listed now.
        """
        versions = self._versions(scope)
        names = sorted(versions)[offset : offset + self.limits.page_items]
        entries = self._examined(scope, {name: versions[name] for name in names})
        page: list[Json] = []
        size = 0
        for name in names:
            size += len(encode(entries[name]))
            if size > self.limits.page_bytes and page:
                break
            page.append(entries[name])
        end = offset + len(page)
        return reply(
            encode(
                {
                    "schema": payloads.SCHEMA,
                    "version": __version__,
                    "total": len(versions),
                    "pending": sum(entry["severity"] == "pending" for entry in page),
                    "next_offset": end if end < len(versions) else None,
                    "runs": page,
                }
            )
        )

    def _examined(self, scope: Scope, versions: Mapping[str, Version]) -> dict[str, Json]:
        """An entry for each run, the newest examined first, until the time is used up."""
        end = self._clock() + self.limits.runs_seconds
        entries: dict[str, Json] = {}
        others: list[RunKey] = []
        for name in sorted(versions, key=lambda name: -versions[name].latest_seconds):
            unaddressable = self._unaddressable(name)
            if unaddressable:
                entries[name] = payloads.unread(shortened(name), "unknown", unaddressable)
                continue
            key = RunKey(scope.experiment_id, name, versions[name].digest, scope.tags)
            known = self._runs.known_entry(key)
            if known is not None:
                entries[name] = known
            elif self._clock() >= end:
                entries[name] = payloads.unread(name, "pending")
            else:
                entries[name] = self._entry(scope, key, 0.0)
                if entries[name]["severity"] == "pending":
                    others.append(key)
        for key in others:
            if self._clock() < end:
                entries[key.run] = self._entry(scope, key, end - self._clock())
        return entries

    def _unaddressable(self, name: str) -> str | None:
        """The reason why no request can name this run; None if one can."""
        if len(name) > self.limits.parameter_characters:
            return "its name is too long to request"
        try:
            name.encode()
        except UnicodeEncodeError:
            return "the name of its directory is not valid UTF-8: rename it to see the run"
        return None

    def _entry(self, scope: Scope, key: RunKey, wait_seconds: float) -> Json:
        """What `runs` says of a run; that it is pending where its turn does not come in time."""
        try:
            with self._runs.queue.at(key, wait_seconds):
                return self._runs.diagnosed(scope, key)[1]
        except RunUnreadableError as failure:
            return payloads.unread(key.run, "unknown", failure.public)
        except NoSuchRunError:
            return payloads.unread(key.run, "unknown", "the run no longer exists")
        except BusyError:
            return payloads.unread(key.run, "pending")
        except UnavailableError as error:
            raise RefusedError(503, str(error)) from error

    def findings(self, scope: Scope, run: str) -> Reply:
        """The document of `findings`."""

        def build(key: RunKey) -> bytes:
            history, told = self._runs.followed(scope, key)
            return payloads.findings(history, told, self.limits)

        return self._about(scope, run, "findings", build)

    def series(self, scope: Scope, run: str, points: int) -> Reply:
        """The document of `series`."""
        return self._about(
            scope, run, f"series {points}",
            lambda key: lines.series(self._runs.history(scope, key), points, self.limits),
        )

    def layers(self, scope: Scope, run: str, offset: int = 0) -> Reply:
        """The document of `layers`."""
        return self._about(
            scope, run, f"layers {offset}",
            lambda key: payloads.layers(self._runs.history(scope, key), offset, self.limits),
        )

    def heatmap(self, scope: Scope, run: str, group: str, metric: str, width: int) -> Reply:
        """The document of `heatmap`."""

        def build(key: RunKey) -> bytes:
            history = self._runs.history(scope, key)
            table = self._measured(history, group, metric)
            return heatmap(history, table, metric, width, self.limits)

        return self._about(scope, run, f"heatmap {width} {group!r} {metric!r}", build, BINARY)

    def layer(self, scope: Scope, run: str, group: str, row: int, points: int) -> Reply:
        """The document of `layer`."""

        def build(key: RunKey) -> bytes:
            history = self._runs.history(scope, key)
            table = self._table(history, group, row)
            return lines.layer(history, table, row, points, self.limits)

        return self._about(scope, run, f"layer {row} {points} {group!r}", build)

    def histogram(self, scope: Scope, run: str, group: str, row: int, width: int) -> Reply:
        """The document of `histogram`."""

        def build(key: RunKey) -> bytes:
            history = self._runs.history(scope, key)
            table = self._table(history, group, row)
            name = table.rows[row].name
            recorded = recorded_magnitudes(history, name) if group == "variables" else ()
            recorded += self._runs.histograms(scope, run, name)
            return histogram_document(run, table, row, recorded, width, self.limits)

        return self._about(scope, run, f"histogram {row} {width} {group!r}", build)

    def experiments(self, scope: Scope, run: str) -> Reply:
        """The document of `experiments`."""
        return self._about(
            scope, run, "experiments",
            lambda key: experiments.experiments(self._runs.history(scope, key), self.limits),
        )

    def landscapes(self, scope: Scope, run: str) -> Reply:
        """The document of `landscapes`: which there are."""

        def build(key: RunKey) -> bytes:
            return landscapes.landscapes(run, self._runs.landscapes(scope, key.run, None))

        return self._about(scope, run, "landscapes", build)

    def landscape(self, scope: Scope, run: str, name: str) -> Reply:
        """The document of `landscape`: one of them with its surfaces."""

        def build(key: RunKey) -> bytes:
            found = self._runs.landscapes(scope, key.run, name)
            return landscapes.landscape(run, name, found, self.limits)

        return self._about(scope, run, f"landscape {name!r}", build)

    def compare(self, scope: Scope, run: str, other: str) -> Reply:
        """The document of `compare`: what differs in `other`, against `run`."""

        def build(keys: tuple[RunKey, RunKey]) -> bytes:
            first, second = (self._runs.history(scope, key) for key in keys)
            told = tuple(self._runs.diagnosed(scope, key)[0] for key in keys)
            compared = compare(first, second, (told[0], told[1]))
            return comparing.comparison(first, second, compared, self.limits)

        return self._about_two(scope, (run, other), "compare", build)

    def difference(
        self, scope: Scope, runs: tuple[str, str], group: str, metric: str, width: int
    ) -> Reply:
        """The document of `difference`: `runs[1]` against `runs[0]`."""

        def build(keys: tuple[RunKey, RunKey]) -> bytes:
            first, second = (self._runs.history(scope, key) for key in keys)
            tables = self._measured(first, group, metric), self._measured(second, group, metric)
            return comparing.difference(first, second, tables, metric, width, self.limits)

        return self._about_two(
            scope, runs, f"difference {width} {group!r} {metric!r}", build, BINARY
        )

    def _about_two(
        self,
        scope: Scope,
        runs: tuple[str, str],
        what: str,
        build: Callable[[tuple[RunKey, RunKey]], bytes],
        content_type: str = JSON,
    ) -> Reply:
        """A reply about two runs, built once for each state of both; else as `_about`."""
        run, other = runs
        version = self._versions(scope, other).get(other)
        if version is None:
            raise RefusedError(404, f"there is no run {quoted(other)} (any more)")
        second = RunKey(scope.experiment_id, other, version.digest, scope.tags)

        def build_both(first: RunKey) -> bytes:
            try:
                self._runs.history(scope, second)
            except NoSuchRunError as error:
                raise RefusedError(404, f"there is no run {quoted(other)} (any more)") from error
            except RunUnreadableError as failure:
                raise RefusedError(503, f"run {quoted(other)}: {failure.public}") from failure
            return build((first, second))

        return self._about(
            scope, run, f"{what} {second.digest} {other!r}", build_both, content_type
        )

    def _about(
        self,
        scope: Scope,
        run: str,
        what: str,
        build: Callable[[RunKey], bytes],
        content_type: str = JSON,
    ) -> Reply:
        """A reply about one run, built once for each state of that run.

        Raises:
            RefusedError: 404, no such run; 503, it cannot be read now.
        """
        version = self._versions(scope, run).get(run)
        if version is None:
            raise RefusedError(404, f"there is no run {quoted(run)} (any more)")
        key = RunKey(scope.experiment_id, run, version.digest, scope.tags)
        try:
            return self._runs.failures.guarded(
                (key, what),
                "shown",
                lambda: self._replies.get(
                    (key, what), lambda: reply(self._built(key, build), content_type)
                ),
            )
        except NoSuchRunError as error:
            raise RefusedError(404, f"there is no run {quoted(run)} (any more)") from error
        except RunUnreadableError as failure:
            raise RefusedError(503, f"run {quoted(run)}: {failure.public}") from failure
        except BusyError as error:
            raise RefusedError(503, f"run {quoted(run)} is still being read; try again") from error
        except UnavailableError as error:
            raise RefusedError(503, str(error)) from error

    def _built(self, key: RunKey, build: Callable[[RunKey], bytes]) -> bytes:
        """What `build` makes of a run; one that must be read first has to wait for its turn."""
        if self._runs.histories.peek(key) is not None:
            return build(key)
        with self._runs.queue.at(key, self.limits.wait_seconds):
            return build(key)

    def _table(self, history: RunHistory, group: str, row: int = -1) -> Table:
        for table in payloads.layered(history, self.limits):
            if table.group == group:
                break
        else:
            raise RefusedError(404, f"the run has no group {quoted(group)}")
        if row >= len(table.rows):
            raise RefusedError(
                404, f"group {quoted(group)} has {len(table.rows)} rows; there is no row {row}"
            )
        return table

    def _measured(self, history: RunHistory, group: str, metric: str) -> Table:
        table = self._table(history, group)
        if not table.has(metric):
            table = derived(table, metric) or table
        if not table.has(metric):
            raise RefusedError(404, f"group {quoted(group)} has no metric {quoted(metric)}")
        return table

    def _versions(self, scope: Scope, run: str | None = None) -> Mapping[str, Version]:
        try:
            return self._source.versions(scope, run)
        except UnavailableError as error:
            raise RefusedError(503, str(error)) from error
