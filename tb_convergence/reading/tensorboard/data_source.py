"""A TensorBoard data provider with what every call to it needs, and with bounded answers.

Answers of the fast loader travel as one message each: beyond 256 MiB it fails, and long before that
it costs memory twice. So a call asks for at most `CALL_BYTES`, and many small series share a call.
A provider can only be asked for "at most n points of each series", not for a range: a series larger
than one call is therefore thinned by the provider itself.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tensorboard.data.provider import RunTagFilter

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.sampling import MOST_KEPT

CALL_BYTES: Final = 64 * 2**20
MAX_POINTS: Final = 50_000
"""Most points of one series that are ever asked for."""
MIN_SHARED_POINTS: Final = 2_500
"""Series share a call as long as each of them may still answer this many points."""
POINT_OVERHEAD_BYTES: Final = 64
"""What a point costs beside its values."""

LISTED: Final = (
    ("list_tensors", PLUGIN_NAME),
    ("list_tensors", "histograms"),
    ("list_scalars", "scalars"),
)
"""Method of the provider, plugin: the lists that reading a run asks for."""

logger = logging.getLogger(__name__)

_UNAVAILABLE: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})


class DataUnavailableError(RuntimeError):
    """The loader does not answer at all; another try may succeed."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where to read from.

    Attributes:
        provider: a `tensorboard.data.provider.DataProvider`.
        context, experiment_id: passed on with each call.
        problems: what the loader could not read, by TensorBoard's name of the run, where known.
        bad_clocks: records whose wall time is no number, by TensorBoard's name of the run.
        most_kept: points of a series that the loader keeps at most, by plugin; see `sampling`.
        patterns: what a person said of the names of histograms.
        listings: lists fetched ahead by `prefetch`, by (method, run, plugin); each is used once.
        points: series fetched ahead by `prefetch_points`, by tag, likewise.
    """

    provider: Any
    context: Any
    experiment_id: str
    problems: Mapping[str, Sequence[str]] = field(default_factory=dict)
    most_kept: Mapping[str, Collection[int]] = field(default_factory=lambda: MOST_KEPT)
    patterns: Sequence[TagRule] = ()
    bad_clocks: Mapping[str, int] = field(default_factory=dict)
    listings: dict[tuple[str, str, str], Mapping[str, Any]] = field(
        default_factory=dict, repr=False, compare=False
    )
    points: dict[tuple[str, str, str], dict[str, Any]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def runs(self) -> tuple[str, ...]:
        """Names of TensorBoard's runs, sorted, also of those of which nothing could be read."""
        with _translated():
            listing = self.provider.list_runs(self.context, experiment_id=self.experiment_id)
        return tuple(sorted({run.run_name for run in listing} | self.problems.keys()))

    def prefetch(self, runs: Sequence[str]) -> bool:
        """List everything of several runs in a few calls; the next list of each comes from here.

        Returns whether all of it was had.
        """
        with ThreadPoolExecutor(len(LISTED), thread_name_prefix="list runs") as asking:
            answers = list(
                asking.map(lambda what: self._list_all(what[0], what[1], runs), LISTED)
            )
        for (method, plugin), answer in zip(LISTED, answers, strict=True):
            if answer is not None:
                for run in runs:
                    self.listings[method, run, plugin] = answer.get(run, {})
        return None not in answers

    def _list_all(
        self, method: str, plugin: str, runs: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]] | None:
        """Lists of several runs; None if they can only be had one by one."""
        try:
            with _translated():
                answer: Mapping[str, Mapping[str, Any]] = getattr(self.provider, method)(
                    self.context,
                    experiment_id=self.experiment_id,
                    plugin_name=plugin,
                    run_tag_filter=RunTagFilter(runs=runs),
                )
        except DataUnavailableError:
            raise
        except Exception as error:
            # Too much at once, or one run spoils it.
            logger.debug("cannot list several runs at once: %s", reason_of(error))
            return None
        return answer

    def prefetch_points(self, method: str, plugin: str, wanted: Mapping[str, set[str]]) -> bool:
        """Read series of several runs, run -> tags, in one call of `method`.

        For series of which the caller knows that all of them together are no large answer. Where
        the call fails, False is returned, and each series will be read by itself.
        """
        if not wanted:
            return True
        try:
            with _translated():
                answer = getattr(self.provider, method)(
                    self.context,
                    experiment_id=self.experiment_id,
                    plugin_name=plugin,
                    downsample=MAX_POINTS,
                    run_tag_filter=RunTagFilter(
                        runs=list(wanted), tags=set().union(*wanted.values())
                    ),
                )
        except DataUnavailableError:
            raise
        except Exception as error:
            logger.debug("cannot read several runs at once: %s", reason_of(error))
            return False
        for run, tags in wanted.items():
            series = answer.get(run, {})
            self.points[method, run, plugin] = {tag: series.get(tag, ()) for tag in tags}
        return True

    def forget(self, runs: Iterable[str]) -> None:
        """Drop what was fetched ahead of `runs` and not used."""
        for run in runs:
            for method, plugin in LISTED:
                self.listings.pop((method, run, plugin), None)
                self.points.pop((method.replace("list", "read"), run, plugin), None)

    def list_tensors(self, run: str, plugin: str) -> Mapping[str, Any]:
        """Tensor series of one run and plugin: tag -> `TensorTimeSeries`."""
        known = self.listings.pop(("list_tensors", run, plugin), None)
        return self._call(self.provider.list_tensors, run, plugin) if known is None else known

    def list_scalars(self, run: str, plugin: str = "scalars") -> Mapping[str, Any]:
        """Scalar series of one run: tag -> `ScalarTimeSeries`."""
        known = self.listings.pop(("list_scalars", run, plugin), None)
        return self._call(self.provider.list_scalars, run, plugin) if known is None else known

    def read_tensors(
        self, run: str, plugin: str, point_bytes: Mapping[str, int]
    ) -> Iterator[tuple[str, list[Any] | Exception]]:
        """Points of the tags in `point_bytes` (tag -> expected bytes of one point).

        Yields each tag once, with its `TensorDatum`s in the order the provider gives them, or with
        the exception that reading this tag alone raised.
        """
        for tag, data in self._read("read_tensors", run, plugin, point_bytes):
            refused = None if plugin == PLUGIN_NAME or isinstance(data, Exception) else _bad(data)
            yield tag, data if refused is None else refused

    def read_scalars(
        self, run: str, tags: Iterable[str], plugin: str = "scalars"
    ) -> Iterator[tuple[str, list[Any] | Exception]]:
        """As `read_tensors`, for scalars."""
        yield from self._read("read_scalars", run, plugin, dict.fromkeys(tags, 8))

    def _call(self, method: Any, run: str, plugin: str, **options: Any) -> Mapping[str, Any]:
        tags = options.pop("tags", None)
        with _translated():
            answer = method(
                self.context,
                experiment_id=self.experiment_id,
                plugin_name=plugin,
                run_tag_filter=RunTagFilter(runs=[run], tags=tags),
                **options,
            )
        found: Mapping[str, Any] = answer.get(run, {})
        return found

    def _read(
        self, name: str, run: str, plugin: str, point_bytes: Mapping[str, int]
    ) -> Iterator[tuple[str, list[Any] | Exception]]:
        method = getattr(self.provider, name)
        known = self.points.get((name, run, plugin), {})
        sizes = {}
        for tag, size in point_bytes.items():
            if tag in known:
                yield tag, list(known.pop(tag))
            else:
                sizes[tag] = size + POINT_OVERHEAD_BYTES
        for tags in _shared_calls(sizes):
            points = _points(sum(sizes[tag] for tag in tags))
            try:
                answer = dict(self._call(method, run, plugin, tags=tags, downsample=points))
            except DataUnavailableError:
                raise
            except Exception:
                yield from self._read_singly(method, run, plugin, tags, sizes)
                continue
            for tag in tags:
                data = list(answer.pop(tag, ()))
                if len(data) >= points and points < _points(sizes[tag]):
                    yield from self._read_singly(method, run, plugin, (tag,), sizes)
                else:
                    yield tag, data

    def _read_singly(
        self, method: Any, run: str, plugin: str, tags: Sequence[str], sizes: Mapping[str, int]
    ) -> Iterator[tuple[str, list[Any] | Exception]]:
        for tag in tags:
            yield tag, self._read_one(method, run, plugin, tag, _points(sizes[tag]))

    def _read_one(
        self, method: Any, run: str, plugin: str, tag: str, points: int
    ) -> list[Any] | Exception:
        """One series; fewer points of it where its points are larger than was expected."""
        while True:
            try:
                answer = self._call(method, run, plugin, tags=(tag,), downsample=points)
            except DataUnavailableError:
                raise
            except Exception as error:
                if _status(error) != "RESOURCE_EXHAUSTED" or points == 1:
                    return error
                points = max(1, points // 8)
            else:
                return list(answer.get(tag, ()))


def most_points(point_bytes: int) -> int:
    """How many points of a series are read at most; a longer one is thinned by the provider."""
    return _points(point_bytes + POINT_OVERHEAD_BYTES)


def _points(cost: int) -> int:
    """How many points of this cost one call may answer; at least one."""
    return max(1, min(MAX_POINTS, CALL_BYTES // cost))


def _bad(data: Iterable[Any]) -> ValueError | None:
    """Why a series of another plugin cannot be unpacked; None if it can.

    Ours are unpacked one by one, and cost one point each.
    """
    try:
        for datum in data:
            _ = datum.numpy
    except ValueError as error:
        return error
    return None


def _shared_calls(sizes: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
    """Tags in groups that may share a call, smallest first."""
    limit = CALL_BYTES // MIN_SHARED_POINTS
    call: list[str] = []
    total = 0
    for tag in sorted(sizes, key=lambda tag: (sizes[tag], tag)):
        if call and total + sizes[tag] > limit:
            yield tuple(call)
            call, total = [], 0
        call.append(tag)
        total += sizes[tag]
    if call:
        yield tuple(call)


@contextmanager
def _translated() -> Iterator[None]:
    """Tell "the loader is gone" from "this data cannot be read"."""
    try:
        yield
    except Exception as error:
        status = _status(error)
        if status in _UNAVAILABLE:
            raise DataUnavailableError(
                f"TensorBoard's data server does not answer ({status}): {reason_of(error)}"
            ) from error
        raise


def _status(error: Exception) -> str:
    """Name of a gRPC error's status code; "" for any other error.

    By name: the class belongs to gRPC, which only one of the loaders needs.
    """
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", "")) if callable(code) else ""
