"""The provider of a data server: TensorBoard's, but our tensors are unpacked late (`unpacking`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc  # type: ignore[import-untyped]
from tensorboard.data import grpc_provider
from tensorboard.data.proto import data_provider_pb2
from tensorboard.util import grpc_util

from tb_convergence.reading.tensorboard.lazy_tensors import LazyPoint, LazyTensors, point_of

MESSAGE_BYTES: Final = 256 * 2**20
"""Largest answer that is accepted, as TensorBoard has it."""


@contextmanager
def connected(port: int) -> Iterator[grpc_provider.GrpcDataProvider]:
    """The provider of the data server that listens at `port` here, until the context ends."""
    credentials, options = grpc_util.ChannelCredsType.LOCAL.channel_config()
    options.append(("grpc.max_receive_message_length", MESSAGE_BYTES))
    address = f"localhost:{port}"
    with grpc.secure_channel(address, credentials, options=options) as channel:
        yield DataServer(address, grpc_provider.make_stub(channel))


class DataServer(LazyTensors, grpc_provider.GrpcDataProvider):  # type: ignore[misc]
    """What is asked through a stub of `grpc_provider.make_stub`."""

    def __init__(self, address: str, server: Any) -> None:
        super().__init__(address, server)
        self._server = server

    def _late(
        self, plugin_name: str, experiment_id: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LazyPoint]]]:
        """Errors of the connection are raised as they are."""
        request = data_provider_pb2.ReadTensorsRequest(experiment_id=experiment_id)
        request.plugin_filter.plugin_name = plugin_name
        request.downsample.num_points = downsample
        if run_tag_filter is not None and run_tag_filter.runs is not None:
            request.run_tag_filter.runs.names[:] = sorted(run_tag_filter.runs)
        if run_tag_filter is not None and run_tag_filter.tags is not None:
            request.run_tag_filter.tags.names[:] = sorted(run_tag_filter.tags)
        answer = self._server.ReadTensors(request)
        point = point_of(plugin_name)
        return {
            run.run_name: {
                tag.tag_name: list(
                    map(point, tag.data.step, tag.data.wall_time, tag.data.value)
                )
                for tag in run.tags
            }
            for run in answer.runs
        }
