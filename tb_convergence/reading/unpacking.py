"""Tensors of TensorBoard's own data providers, unpacked one by one, when they are looked at.

The providers make an array of every tensor of an answer before they hand over the first of them. Of
a large run that is 50 MB of memory more, and fetching memory from the operating system takes as
long as all that is then done with the arrays. So here a point keeps its tensor as it came, and what
is made of it is let go while the processor's cache still holds it.

Both providers keep what is needed for that under names of their own, which TensorBoard may change;
where they are not found, or the provider is another one, it is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tensorboard.util import tensor_util

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.reasons import reason_of

_FLOAT32: Final = np.dtype("<f4")
_DT_FLOAT: Final = 1

MOST_UNWRITTEN: Final = 2**20
"""Entries of a tensor of which not each was written: a few bytes may claim any number of them."""

_DATA_SERVER: Final = ("tensorboard.data.grpc_provider", "GrpcDataProvider")
_MULTIPLEXER: Final = (
    "tensorboard.backend.event_processing.data_provider", "MultiplexerDataProvider"
)


class LatePoint:
    """A point of a tensor series, as `tensorboard.data.provider.TensorDatum`, of a tensor message.
    """

    __slots__ = ("step", "tensor", "wall_time")

    def __init__(self, step: int, wall_time: float, tensor: Any) -> None:
        self.step = step
        self.wall_time = wall_time
        self.tensor = tensor

    @property
    def numpy(self) -> NDArray[Any]:
        """The tensor's array, made anew each time it is asked for.

        Raises:
            ValueError: the tensor does not hold what it says.
        """
        tensor = self.tensor
        try:
            shape = [extent.size for extent in tensor.tensor_shape.dim]
            # Tensors as the recorder writes them need no more than a look at their bytes.
            if tensor.dtype == _DT_FLOAT and (content := tensor.tensor_content):
                return np.frombuffer(content, _FLOAT32).reshape(shape)
            if math.prod(shape) > MOST_UNWRITTEN and _is_short(tensor):
                raise ValueError(f"one value stands for {math.prod(shape):,}")
            made: NDArray[Any] = tensor_util.make_ndarray(tensor)
        except Exception as error:
            raise ValueError(f"a tensor that cannot be read: {reason_of(error)}") from error
        return made


class UnpackingLate:
    """To stand in front of a provider of TensorBoard's: our tensors are read as `LatePoint`s."""

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
        late = None
        if plugin_name == PLUGIN_NAME:
            late = self._late(experiment_id, downsample, run_tag_filter)
        if late is not None:
            return late
        return super().read_tensors(  # type: ignore[misc]
            ctx, experiment_id=experiment_id, plugin_name=plugin_name, downsample=downsample,
            run_tag_filter=run_tag_filter,
        )

    def _late(
        self, experiment_id: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LatePoint]]] | None:
        """Our tensors by run and tag; None where TensorBoard has more to do than that."""
        raise NotImplementedError


def alike(points: Sequence[Any]) -> NDArray[np.float32] | None:
    """The arrays `[N, ...]` of N points; None where one differs from the others in any way, or is
    no `LatePoint` with floats of its own.
    """
    tensors = [point.tensor for point in points if isinstance(point, LatePoint)]
    if not points or len(tensors) < len(points):
        return None
    shape = tensors[0].tensor_shape
    extents = [extent.size for extent in shape.dim]
    contents = [
        tensor.tensor_content for tensor in tensors
        if tensor.dtype == _DT_FLOAT and tensor.tensor_shape == shape
    ]
    size = math.prod(extents) * _FLOAT32.itemsize
    if len(contents) < len(points) or not size or any(len(one) != size for one in contents):
        return None
    return np.frombuffer(b"".join(contents), _FLOAT32).reshape([len(points), *extents])


def _is_short(tensor: Any) -> bool:
    """Whether at most one value of a tensor is written, which then stands for all."""
    return not tensor.tensor_content and len(tensor.float_val) <= 1


def unpacked_late(provider: Any) -> Any:
    """`provider`; where it is one of TensorBoard's own, one whose tensors are `LatePoint`s."""
    # By name: importing the data server's class imports gRPC, which the other loader does without.
    kind = (type(provider).__module__, type(provider).__name__)
    if kind == _DATA_SERVER and hasattr(provider, "_stub") and hasattr(provider, "_addr"):
        from tb_convergence.reading.data_server import DataServer  # noqa: PLC0415

        return DataServer(provider._addr, provider._stub)
    if kind == _MULTIPLEXER and hasattr(provider, "_multiplexer"):
        from tb_convergence.reading.multiplexer import Multiplexer, is_as_known  # noqa: PLC0415

        if is_as_known():
            return Multiplexer(provider._multiplexer, provider._logdir)
    return provider
