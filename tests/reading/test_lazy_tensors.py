"""Tensors that are unpacked when they are looked at, against TensorBoard's own reading of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from event_files import EventFile
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.compat.proto import tensor_pb2
from tensorboard.context import RequestContext
from tensorboard.data import grpc_provider
from tensorboard.data.provider import RunTagFilter
from tensorboard.util import tensor_util

from tb_convergence.core import schema
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.schema import Row
from tb_convergence.reading import open_logdir
from tb_convergence.reading import streams as streams_module
from tb_convergence.reading.streams import read_stream
from tb_convergence.reading.tensorboard import loaders
from tb_convergence.reading.tensorboard.lazy_tensors import LazyPoint, with_lazy_tensors
from tests.serving.event_logs import write
from tests.serving.samples import trained

TABLE = np.arange(6, dtype=np.float32).reshape(2, 3)
LAYOUT = schema.layout_of("variables", (Row("w", "w", "kernel"),), ("gradient_norm",))


def proto(array: Any, **changes: Any) -> tensor_pb2.TensorProto:
    made = tensor_util.make_tensor_proto(array)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("tensor", [
    proto(TABLE), proto(TABLE * np.nan), proto(np.arange(4, dtype=np.float32)),
    proto(np.float32(1.5)), proto(TABLE, tensor_content=TABLE.tobytes()),
    proto(np.float32(1.5), tensor_content=np.float32(2.5).tobytes()), proto("text"),
    proto(TABLE.astype(np.float64)), proto(TABLE.astype(np.int32)),
    proto(np.zeros((0, 3), np.float32)),
], ids=range(10))
def test_an_array_is_what_tensorboard_makes_of_the_tensor(tensor: Any) -> None:
    found = LazyPoint(3, 4.5, tensor)
    expected = tensor_util.make_ndarray(tensor)
    assert (found.step, found.wall_time) == (3, 4.5)
    assert found.numpy.dtype == expected.dtype
    np.testing.assert_array_equal(found.numpy, expected, strict=True)


@pytest.mark.parametrize("changes", [
    {"tensor_content": b"\0" * 13}, {"tensor_content": b"\0" * 12}, {"dtype": 99},
    {"tensor_content": b"\0" * 44, "dtype": 2},
], ids=["bytes", "floats", "dtype", "doubles"])
def test_a_tensor_that_does_not_hold_what_it_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a tensor that cannot be read: "):
        LazyPoint(0, 0.0, proto(TABLE, **changes)).numpy  # noqa: B018


def test_one_value_does_not_become_a_thousand_million() -> None:
    bomb = tensor_pb2.TensorProto(dtype=1, float_val=[1.0])
    for _ in range(2):
        bomb.tensor_shape.dim.add(size=2**15)
    with pytest.raises(ValueError, match="one value stands for 1,073,741,824"):
        LazyPoint(0, 0.0, bomb).numpy  # noqa: B018


@pytest.mark.parametrize("reserved", [streams_module.MOST_RESERVED_BYTES, 0])
def test_such_a_tensor_costs_its_record(
    reserved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams_module, "MOST_RESERVED_BYTES", reserved)
    layout = schema.layout_of("variables", (Row("a", "a", "kernel"), Row("b", "b", "bias")), "xyz")
    whole = schema.seal(TABLE)
    tensors = [proto(whole + np.float32(0)) for _ in range(4)]
    tensors[1].tensor_content = whole.tobytes()[:-4]
    skipped: list[Skipped] = []
    points = [LazyPoint(step, 10.0 + step, tensor) for step, tensor in enumerate(tensors)]
    stream = read_stream("t", layout, points, skipped)
    assert stream.steps.tolist() == [0, 2, 3]
    np.testing.assert_array_equal(stream.values, [TABLE] * 3)
    assert [(one.tag, one.step) for one in skipped] == [("t", 1)]
    assert "a tensor that cannot be read" in skipped[0].reason


def asked(**only: Any) -> dict[str, Any]:
    return {
        "experiment_id": "", "plugin_name": "convergence", "downsample": 1000,
        "run_tag_filter": RunTagFilter(**only) if only else None,
    }


def said(answer: Any) -> list[Any]:
    return sorted(
        (run, tag, datum.step, datum.wall_time, datum.numpy.dtype.str, datum.numpy.shape,
         repr(datum.numpy.tolist()))
        for run, tags in answer.items() for tag, data in tags.items() for datum in data
    )


LOADERS = ("fast", "python")


def theirs(loader: str, logdir: Path, stack: ExitStack) -> Any:
    """A provider as TensorBoard makes it."""
    if loader == "python":
        held = plugin_event_multiplexer.EventMultiplexer()
        held.AddRunsFromDirectory(str(logdir))
        held.Reload()
        return data_provider.MultiplexerDataProvider(held, str(logdir))
    if loaders.fast_binary() is None:
        pytest.skip("no data server for this platform")
    ours = stack.enter_context(open_logdir(logdir, "fast")).provider._provider
    return grpc_provider.GrpcDataProvider(ours._addr, ours._stub)


@pytest.mark.parametrize("loader", LOADERS)
def test_answers_are_tensorboard_s_own(loader: str, tmp_path: Path) -> None:
    write(tmp_path, trained("a", layers=2, records=30))
    write(tmp_path, trained("b", layers=3, records=20))
    context = RequestContext()
    with ExitStack() as stack:
        provider = theirs(loader, tmp_path, stack)
        ours = with_lazy_tensors(provider)
        assert type(ours) is not type(provider)
        assert str(ours) == str(provider)
        listed = provider.list_tensors(context, experiment_id="", plugin_name="convergence")
        assert listed.keys() == {"a", "b"}
        tags = set(listed["a"])
        for question in (
            asked(runs=["a"], tags=tags),
            asked(runs=["a", "b"], tags=tags | set(listed["b"])),
            asked(runs=["b"]), asked(runs=["no such run"]), asked(),
            asked(runs=["a"], tags=["no such tag"]),
            {**asked(runs=["a"], tags=tags), "downsample": 7},
            {**asked(runs=["a"], tags=tags), "plugin_name": "scalars"},
        ):
            found = said(ours.read_tensors(context, **question))
            assert found == said(provider.read_tensors(context, **question)), question
        data = ours.read_tensors(context, **asked(runs=["a"], tags=tags))["a"]
        assert {type(point) for tag in tags for point in data[tag]} == {LazyPoint}


def test_series_are_listed_as_tensorboard_does_while_points_come(tmp_path: Path) -> None:
    held = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance={"convergence": 5, "scalars": 3}, purge_orphaned_data=False
    )
    provider = data_provider.MultiplexerDataProvider(held, str(tmp_path))
    ours = with_lazy_tensors(provider)
    context = RequestContext()
    listed: list[Any] = []
    with EventFile(tmp_path / "a") as file:
        for step in (0, 1, 2, 3, 4, 5, 9, 6, 7, 8, 10, 3, 4):
            file.record(LAYOUT, step, [[1.0]], wall_time=100.0 + (7 * step) % 5)
            file.scalar("loss", step, 1.0, wall_time=50.0 - step)
            held.AddRunsFromDirectory(str(tmp_path))
            held.Reload()
            for method, plugin in (("list_tensors", "convergence"), ("list_scalars", "scalars")):
                asked = {"experiment_id": "", "plugin_name": plugin}
                for only in (None, RunTagFilter(runs=["a"])):
                    found, expected = (
                        getattr(one, method)(context, **asked, run_tag_filter=only)
                        for one in (ours, provider)
                    )
                    assert repr(found) == repr(expected)
                assert found["a"]
                listed.append(repr(found))
    assert len(set(listed)) > 12


def test_a_list_does_not_look_at_points_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, trained("a", layers=2, records=30))
    with ExitStack() as stack:
        ours = with_lazy_tensors(theirs("python", tmp_path, stack))
        asked = {"experiment_id": "", "plugin_name": "convergence"}
        first = ours.list_tensors(RequestContext(), **asked)
        monkeypatch.setattr("builtins.max", None)
        assert repr(ours.list_tensors(RequestContext(), **asked)) == repr(first)


def test_another_version_s_provider_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = data_provider.MultiplexerDataProvider(None, "logs")
    assert with_lazy_tensors(provider) is not provider

    def listed(self: Any, construct: Any, index: Any, newest: Any) -> dict[str, Any]:
        return {}

    for other in (listed, None):
        monkeypatch.setattr(data_provider.MultiplexerDataProvider, "_list", other)
        assert with_lazy_tensors(provider) is provider


def test_other_providers_are_left_as_they_are() -> None:
    class Mine(data_provider.MultiplexerDataProvider):  # type: ignore[misc]
        """What it reads is for it to say."""

    bare = grpc_provider.GrpcDataProvider("here", None)
    del bare._stub
    for provider in (None, SimpleNamespace(), Mine(None, "logs"), bare):
        assert with_lazy_tensors(provider) is provider
