"""The provider of TensorBoard's Python loader, but our tensors are unpacked late (`unpacking`)."""

from __future__ import annotations

from typing import Any

from tensorboard.backend.event_processing import data_provider

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.unpacking import LatePoint


class Multiplexer(data_provider.MultiplexerDataProvider):  # type: ignore[misc]
    """What an `EventMultiplexer` holds."""

    def __init__(self, multiplexer: Any, logdir: str) -> None:
        super().__init__(multiplexer, logdir)
        self._held = multiplexer

    def read_tensors(
        self,
        ctx: Any = None,
        *,
        experiment_id: str,
        plugin_name: str,
        downsample: int | None = None,
        run_tag_filter: Any = None,
    ) -> Any:
        """As TensorBoard's."""
        late = plugin_name == PLUGIN_NAME and self._late(downsample, run_tag_filter)
        return late or super().read_tensors(
            ctx, experiment_id=experiment_id, plugin_name=plugin_name, downsample=downsample,
            run_tag_filter=run_tag_filter,
        )

    def _late(
        self, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LatePoint]]] | None:
        """Our series of certain runs and tags; None where TensorBoard has more to do than that."""
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
