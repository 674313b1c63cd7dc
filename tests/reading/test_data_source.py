"""Calls to the data provider: bounded, complete, with context, and only for what is ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from tb_convergence.core import schema
from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import DataSource, DataUnavailableError, read_run
from tb_convergence.reading.tensorboard.data_source import CALL_BYTES


@dataclass
class Status:
    name: str


class RpcError(Exception):
    """As gRPC's errors look like."""

    def __init__(self, name: str) -> None:
        super().__init__("<a long text>\n\twith lines")
        self._name = name

    def code(self) -> Status:
        return Status(self._name)

    def details(self) -> str:
        return f"details of {self._name}"


@dataclass
class Datum:
    step: int
    numpy: Any = None
    wall_time: float = 0.0
    value: float = 0.0


@dataclass
class Run:
    run_name: str


@dataclass
class Listed:
    plugin_content: bytes = b""


@dataclass
class Provider:
    """Answers from `tensors` (plugin -> tag -> points); keeps every call."""

    tensors: Mapping[str, Mapping[str, list[Datum]]]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    fail: Callable[[frozenset[str], int], Exception | None] = lambda tags, points: None
    calls: list[tuple[str, Any, str, frozenset[str] | None, int | None]] = field(
        default_factory=list
    )

    def list_runs(self, ctx: Any, *, experiment_id: str) -> list[Run]:
        self.calls.append(("list_runs", ctx, experiment_id, None, None))
        return [Run("a")]

    def _list(self, method: str, ctx: Any, experiment_id: str, plugin: str) -> Any:
        self.calls.append((method, ctx, experiment_id, None, None))
        tags = self.tensors.get(plugin, {})
        return {"a": {tag: Listed(self.contents.get(tag, b"")) for tag in tags}}

    def list_tensors(
        self, ctx: Any, *, experiment_id: str, plugin_name: str, run_tag_filter: Any
    ) -> Any:
        return self._list("list_tensors", ctx, experiment_id, plugin_name)

    def list_scalars(
        self, ctx: Any, *, experiment_id: str, plugin_name: str, run_tag_filter: Any
    ) -> Any:
        return self._list("list_scalars", ctx, experiment_id, plugin_name)

    def read_tensors(
        self, ctx: Any, *, experiment_id: str, plugin_name: str, downsample: int,
        run_tag_filter: Any,
    ) -> Any:
        assert run_tag_filter.runs == frozenset({"a"})
        tags = run_tag_filter.tags
        assert tags, "a call without a filter reads everything there is"
        self.calls.append(("read_tensors", ctx, experiment_id, tags, downsample))
        error = self.fail(tags, downsample)
        if error is not None:
            raise error
        return {"a": {tag: self.tensors[plugin_name][tag][-downsample:] for tag in tags}}

    read_scalars = read_tensors

    @property
    def reads(self) -> list[tuple[frozenset[str], int]]:
        return [(call[3], call[4]) for call in self.calls if call[0] == "read_tensors"]  # type: ignore[misc]


def points(count: int) -> list[Datum]:
    return [Datum(step) for step in range(count)]


def read(provider: Provider, sizes: Mapping[str, int]) -> dict[str, list[Any] | Exception]:
    return dict(DataSource(provider, "context", "id").read_tensors("a", "p", sizes))


def test_small_series_share_a_call() -> None:
    provider = Provider({"p": {f"t{i}": points(3) for i in range(10)}})
    found = read(provider, dict.fromkeys(provider.tensors["p"], 100))
    assert {tag: len(data) for tag, data in found.items()} == dict.fromkeys(  # type: ignore[arg-type]
        provider.tensors["p"], 3
    )
    assert len(provider.reads) == 1


@pytest.mark.parametrize("size", [10, 1000, 25_600, 10**6, 10**9])
def test_no_call_asks_for_more_than_its_share(size: int) -> None:
    provider = Provider({"p": {f"t{i}": points(1) for i in range(7)}})
    found = read(provider, dict.fromkeys(provider.tensors["p"], size))
    assert found.keys() == provider.tensors["p"].keys()
    for tags, count in provider.reads:
        assert count >= 1
        assert count * size * len(tags) <= CALL_BYTES or (count, len(tags)) == (1, 1)


def test_a_series_that_fills_a_shared_call_is_read_again_alone() -> None:
    provider = Provider({"p": {"long": points(9_000), "short": points(3)}})
    found = read(provider, {"long": 6_000, "short": 6_000})
    assert len(found["long"]) == 9_000  # type: ignore[arg-type]
    assert provider.reads[0][0] == {"long", "short"}
    assert provider.reads[-1][0] == {"long"}


def test_a_failing_series_spoils_no_other() -> None:
    provider = Provider(
        {"p": {"good": points(2), "bad": points(2), "fine": points(2)}},
        fail=lambda tags, count: ValueError("cannot reshape") if "bad" in tags else None,
    )
    found = read(provider, dict.fromkeys(provider.tensors["p"], 100))
    assert isinstance(found["bad"], ValueError)
    assert [len(found[tag]) for tag in ("good", "fine")] == [2, 2]  # type: ignore[arg-type]


def test_an_answer_too_large_is_asked_for_in_fewer_points() -> None:
    provider = Provider(
        {"p": {"t": points(1000)}},
        fail=lambda tags, count: RpcError("RESOURCE_EXHAUSTED") if count > 100 else None,
    )
    found = read(provider, {"t": 100})
    assert 0 < len(found["t"]) <= 100  # type: ignore[arg-type]


def test_a_point_too_large_is_an_error_of_its_series() -> None:
    provider = Provider({"p": {"t": points(1)}},
                        fail=lambda tags, count: RpcError("RESOURCE_EXHAUSTED"))
    assert isinstance(read(provider, {"t": 100})["t"], RpcError)


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"])
def test_a_loader_that_is_gone_is_no_bad_data(status: str) -> None:
    provider = Provider({"p": {"t": points(1)}}, fail=lambda tags, count: RpcError(status))
    with pytest.raises(DataUnavailableError, match=f"details of {status}"):
        read(provider, {"t": 1, "u": 1})


def test_context_and_experiment_travel_with_every_call() -> None:
    layout = layout_of("run", (Row("run", "", "run"),), ("loss",))
    record = schema.seal(np.float32([[1.0]]))
    provider = Provider(
        {"convergence": {layout.tag: [Datum(0, record)], "convergence/other": [Datum(0, record)]},
         "histograms": {"gradients/w": [Datum(0, np.float64([[0, 1, 1]]))]},
         "scalars": {"lr": [Datum(0, value=0.5)]}},
        {layout.tag: schema.encode_layout(layout), "convergence/other": b"garbage"},
    )
    history = read_run(provider, "context", "experiment", "a")
    assert history.signals >= {"loss", "gradient_norm", "learning_rate"}
    assert {call[0] for call in provider.calls} == {
        "list_runs", "list_tensors", "list_scalars", "read_tensors",
    }
    assert {(call[1], call[2]) for call in provider.calls} == {("context", "experiment")}
    # A series without our metadata may be a bomb: it is never asked for.
    assert not any("convergence/other" in tags for tags, _ in provider.reads)


def test_lists_fetched_ahead_are_used_once() -> None:
    provider = Provider({"convergence": {"t": []}})
    source = DataSource(provider, "context", "id")
    source.prefetch(["a"])
    assert len(provider.calls) == 3
    assert source.list_tensors("a", "convergence").keys() == {"t"}
    assert len(provider.calls) == 3
    assert source.list_tensors("a", "convergence").keys() == {"t"}
    assert len(provider.calls) == 4
    source.forget(["a"])
    assert source.listings == {}
