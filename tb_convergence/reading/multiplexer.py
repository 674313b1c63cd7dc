"""The provider of TensorBoard's Python loader, but our tensors are unpacked late (`unpacking`).

And series are listed at once: TensorBoard looks at each of their thousands of points, for the
largest step and the latest time, whenever anybody asks what there is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from tensorboard.backend.event_processing import data_provider

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.unpacking import LatePoint, UnpackingLate

_REMEMBERED: Final = 200_000
"""Series of which the ends are remembered; some of them may be of runs that are gone."""

_LISTING: Final = ("self", "construct_time_series", "index")
"""Parameters of TensorBoard's method that is replaced."""

_Mark = tuple[int, int, float]
"""How many points a series has, step and wall time of the last: the newest is always the last."""


def is_as_known() -> bool:
    """Whether TensorBoard's class lists its series by the method that is replaced here."""
    listing = getattr(data_provider.MultiplexerDataProvider, "_list", None)
    return listing is not None and tuple(inspect.signature(listing).parameters) == _LISTING


class Multiplexer(UnpackingLate, data_provider.MultiplexerDataProvider):  # type: ignore[misc]
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
        """Largest step and wall time of a series, None where it has no points."""
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
        self, experiment_id: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LatePoint]]] | None:
        """Of certain runs and tags, all points: what else is asked is TensorBoard's to answer."""
        if run_tag_filter is None or run_tag_filter.runs is None or run_tag_filter.tags is None:
            return None
        found: dict[str, dict[str, list[LatePoint]]] = {}
        for run in run_tag_filter.runs:
            for tag in run_tag_filter.tags:
                try:
                    owner = self._held.SummaryMetadata(run, tag).plugin_data.plugin_name
                    events = self._held.Tensors(run, tag)
                except KeyError:
                    return None
                if owner != PLUGIN_NAME or len(events) > (downsample or 0):
                    return None
                found.setdefault(run, {})[tag] = [
                    LatePoint(event.step, event.wall_time, event.tensor_proto) for event in events
                ]
        return found
