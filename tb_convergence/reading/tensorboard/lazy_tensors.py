"""Tensors of TensorBoard's own data providers, unpacked one by one, when they are looked at.

The providers make an array of every tensor of an answer before they hand over the first of them. Of
a large run that is 50 MB of memory more, and fetching memory from the operating system takes as
long as all that is then done with the arrays. So here a point keeps its tensor as it came, and what
is made of it is let go while the processor's cache still holds it.

Both providers keep what is needed for that under private names (see `compat`). Where they are not
found, or the provider is another one, it is left as it is.
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
from tb_convergence.reading.tensorboard.compat import data_server_parts, multiplexer_parts

_FLOAT32: Final = np.dtype("<f4")
_DT_FLOAT: Final = 1

MOST_UNWRITTEN: Final = 2**20
"""Entries of a tensor of which not each was written: a few bytes may claim any number of them."""



class LazyPoint:
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


class KeptPoint(LazyPoint):
    """The same of a small tensor, such as a histogram: its array is made once, and kept."""

    __slots__ = ("_made",)

    @property
    def numpy(self) -> NDArray[Any]:
        """The tensor's array.

        Raises:
            ValueError: the tensor does not hold what it says.
        """
        if not hasattr(self, "_made"):
            self._made = super().numpy
        return self._made


def point_of(plugin_name: str) -> type[LazyPoint]:
    """How tensors of a plugin are held: ours are large and looked at once."""
    return LazyPoint if plugin_name == PLUGIN_NAME else KeptPoint


class LazyTensors:
    """To stand in front of a provider of TensorBoard's: tensors are read as `LazyPoint`s.

    TensorBoard itself would unpack every tensor it is asked for, also one of a few bytes that
    claims to hold gigabytes.
    """

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
        late = self._late(plugin_name, experiment_id, downsample, run_tag_filter)
        if late is not None:
            return late
        return super().read_tensors(  # type: ignore[misc]
            ctx, experiment_id=experiment_id, plugin_name=plugin_name, downsample=downsample,
            run_tag_filter=run_tag_filter,
        )

    def _late(
        self, plugin_name: str, experiment_id: str, downsample: int | None, run_tag_filter: Any
    ) -> dict[str, dict[str, list[LazyPoint]]] | None:
        """Tensors by run and tag; None if TensorBoard has more to do than that."""
        raise NotImplementedError


def alike(points: Sequence[Any]) -> NDArray[np.float32] | None:
    """The arrays `[N, ...]` of N points; None if one differs from the others in any way, or is
    no `LazyPoint` with floats of its own.
    """
    tensors = [point.tensor for point in points if isinstance(point, LazyPoint)]
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


def with_lazy_tensors(provider: Any) -> Any:
    """`provider`; where it is one of TensorBoard's own, one whose tensors are `LazyPoint`s."""
    server = data_server_parts(provider)
    if server is not None:
        from tb_convergence.reading.tensorboard.data_server import DataServer  # noqa: PLC0415

        return DataServer(*server)
    held = multiplexer_parts(provider)
    if held is not None:
        from tb_convergence.reading.tensorboard.multiplexer import Multiplexer, is_as_known  # noqa: PLC0415

        if is_as_known():
            return Multiplexer(*held)
    return provider
