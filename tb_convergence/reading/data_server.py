"""A data provider over a data server of our own: TensorBoard's, but many small tensors are cheap.

TensorBoard's provider spends several times as long on making an array of each tensor as on fetching
them all. Tensors as the recorder writes them, floats of a known shape, need no more than a look at
their bytes; all others are left to TensorBoard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from tensorboard.data import grpc_provider
from tensorboard.data.proto import data_provider_pb2
from tensorboard.data.provider import TensorDatum
from tensorboard.util import grpc_util, tensor_util

MESSAGE_BYTES: Final = 256 * 2**20
"""Largest answer that is accepted, as TensorBoard has it."""

_FLOAT32: Final = np.dtype("<f4")
_DT_FLOAT: Final = 1


@contextmanager
def connected(port: int) -> Iterator[grpc_provider.GrpcDataProvider]:
    """The provider of the data server that listens at `port` here, until the context ends."""
    credentials, options = grpc_util.ChannelCredsType.LOCAL.channel_config()
    options.append(("grpc.max_receive_message_length", MESSAGE_BYTES))
    address = f"localhost:{port}"
    with grpc.secure_channel(address, credentials, options=options) as channel:
        yield _Provider(address, grpc_provider.make_stub(channel))


class _Provider(grpc_provider.GrpcDataProvider):  # type: ignore[misc]
    def __init__(self, address: str, server: Any) -> None:
        super().__init__(address, server)
        self._server = server

    def read_tensors(
        self,
        ctx: Any = None,
        *,
        experiment_id: str,
        plugin_name: str,
        downsample: int | None = None,
        run_tag_filter: Any = None,
    ) -> dict[str, dict[str, list[TensorDatum]]]:
        """As TensorBoard's; errors of the connection are raised as they are."""
        request = data_provider_pb2.ReadTensorsRequest(experiment_id=experiment_id)
        request.plugin_filter.plugin_name = plugin_name
        request.downsample.num_points = downsample
        if run_tag_filter is not None and run_tag_filter.runs is not None:
            request.run_tag_filter.runs.names[:] = sorted(run_tag_filter.runs)
        if run_tag_filter is not None and run_tag_filter.tags is not None:
            request.run_tag_filter.tags.names[:] = sorted(run_tag_filter.tags)
        answer = self._server.ReadTensors(request)
        return {
            run.run_name: {tag.tag_name: _points(tag.data) for tag in run.tags}
            for run in answer.runs
        }


def _points(series: Any) -> list[TensorDatum]:
    arrays: Iterable[NDArray[Any]] | None = alike(series.value)
    if arrays is None:
        arrays = map(tensor_util.make_ndarray, series.value)
    return list(map(TensorDatum, series.step, series.wall_time, arrays))


def alike(tensors: Sequence[Any]) -> NDArray[np.float32] | None:
    """S tensors of floats, all of one shape, as `[S, ...]`; None where any is something else.

    Raises:
        ValueError: they do not hold what their shape says.
    """
    if not tensors or not tensors[0].tensor_content or tensors[0].dtype != _DT_FLOAT:
        return None
    shape, size = tensors[0].tensor_shape, len(tensors[0].tensor_content)
    contents = [
        tensor.tensor_content for tensor in tensors
        if tensor.dtype == _DT_FLOAT and tensor.tensor_shape == shape
    ]
    if len(contents) < len(tensors) or any(len(content) != size for content in contents):
        return None
    # One block of memory, not thousands that come and go: those leave holes.
    extents = [extent.size for extent in shape.dim]
    return np.frombuffer(b"".join(contents), _FLOAT32).reshape([len(tensors), *extents])
