"""The provider of TensorBoard's Python loader, but our tensors are unpacked late (`unpacking`).

And series are listed at once: TensorBoard looks at each of their thousands of points, for the
largest step and the latest time, whenever anybody asks what there is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tensorboard.backend.event_processing import data_provider
from tensorboard.data.provider import ScalarDatum

from tb_convergence.reading.tensorboard.compat import lists_as_known
from tb_convergence.reading.tensorboard.lazy_tensors import LazyPoint, LazyTensors, point_of

_REMEMBERED: Final = 200_000
"""Series of which the ends are remembered; some of them may be of runs that are gone."""

_Mark = tuple[int, int, float]
"""How many points a series has, step and wall time of the last: the newest is always the last."""


def is_as_known() -> bool:
    """Whether TensorBoard's class lists its series by the method that is replaced here."""
    return lists_as_known(data_provider.MultiplexerDataProvider)


class Multiplexer(LazyTensors, data_provider.MultiplexerDataProvider):  # type: ignore[misc]
    """What an `EventMultiplexer` holds."""

    def __init__(self, multiplexer: Any, logdir: str) -> None:
        super().__init__(multiplexer, logdir)
        self._held = multiplexer
        self._ends: dict[tuple[str, str], tuple[_Mark, tuple[int, float]]] = {}

    def _list(
        self, construct_time_series: Callable[..., Any], index: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """As TensorBoard's, whose listings call it; see `is_as_known`."""
        if len(self._ends) > _REMEMBERED:
            self._ends.clear()
        found: dict[str, dict[str, Any]] = {}
        for run, tags in index.items():
            found[run] = {}
            for tag, metadata in tags.items():
                step, wall_time = self._end(run, tag)
                found[run][tag] = construct_time_series(
                    max_step=step, max_wall_time=wall_time,
                    plugin_content=metadata.plugin_data.content,
                    description=metadata.summary_description, display_name=metadata.display_name,
                )
        return found

    def _end(self, run: str, tag: str) -> tuple[int | None, float | None]:
        """Largest step and wall time of a series, None if it has no points."""
        events = self._held.Tensors(run, tag)
        if not events:
            return None, None
        mark = (len(events), events[-1].step, events[-1].wall_time)
        known = self._ends.get((run, tag))
        if known is None or known[0] != mark:
            largest = (
                max(event.step for event in events), max(event.wall_time for event in events)
            )
            known = self._ends[run, tag] = mark, largest
        return known[1]

    def _late(
        self, plugin_name: str, experiment_id: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LazyPoint]]] | None:
        """Of certain runs and tags: what else is asked is TensorBoard's to answer."""
        wanted = self._events(plugin_name, downsample, run_tag_filter)
        if wanted is None:
            return None
        point = point_of(plugin_name)
        return {
            run: {
                tag: [point(event.step, event.wall_time, event.tensor_proto) for event in events]
                for tag, events in tags.items()
            }
            for run, tags in wanted.items()
        }

    def read_scalars(
        self,
        ctx: Any = None,
        *,
        experiment_id: str,
        plugin_name: str,
        downsample: int | None = None,
        run_tag_filter: Any = None,
    ) -> Any:
        """As TensorBoard's, but a point that is no scalar costs that point and not all answers."""
        wanted = self._events(plugin_name, downsample, run_tag_filter)
        if wanted is None:
            return super().read_scalars(
                ctx, experiment_id=experiment_id, plugin_name=plugin_name, downsample=downsample,
                run_tag_filter=run_tag_filter,
            )
        return {
            run: {tag: [_scalar(event) for event in events] for tag, events in tags.items()}
            for run, tags in wanted.items()
        }

    def _events(
        self, plugin_name: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[Any]]] | None:
        """What is held of certain runs and tags, thinned as TensorBoard does; None of a question
        without runs or tags.
        """
        if run_tag_filter is None or run_tag_filter.runs is None or run_tag_filter.tags is None:
            return None
        found: dict[str, dict[str, list[Any]]] = {}
        for run in run_tag_filter.runs:
            for tag in run_tag_filter.tags:
                try:
                    owner = self._held.SummaryMetadata(run, tag).plugin_data.plugin_name
                    events = self._held.Tensors(run, tag)
                except KeyError:
                    continue  # this run has no such tag
                if owner == plugin_name:
                    found.setdefault(run, {})[tag] = _thinned(events, downsample)
        return found


def _thinned(events: Sequence[Any], most: int | None) -> list[Any]:
    """At most `most` of `events`, in their order: drawn at random, the last among them."""
    if most is None or len(events) <= most:
        return list(events)
    if most < 1:
        return []
    drawn = random.Random(0).sample(range(len(events) - 1), most - 1)  # noqa: S311 - as TensorBoard
    return [events[place] for place in (*sorted(drawn), len(events) - 1)]


def _scalar(event: Any) -> ScalarDatum:
    """A scalar's point; its value is text that says why where the tensor is none."""
    try:
        array = LazyPoint(event.step, event.wall_time, event.tensor_proto).numpy
        value = array.item() if array.size == 1 else f"shape {list(array.shape)}"
    except ValueError as error:
        value = str(error)
    return ScalarDatum(event.step, event.wall_time, value)
