"""The tab wakes up where one loss can be read, and asking costs little however many runs there are.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tb_convergence.reading.presence import AGAIN_SECONDS, LOOK_SECONDS, RUNS_AT_ONCE, LossPresence
from tb_convergence.serving.plugin import ConvergencePlugin


class Provider:
    """Lists the scalars of `runs`; counts questions."""

    def __init__(self, plugins: Any = ("scalars",), **runs: tuple[str, ...]) -> None:
        self.runs, self.plugins = runs, plugins
        self.calls: Counter[str] = Counter()
        self.seen: list[str] = []

    def list_plugins(self, context: Any, *, experiment_id: str) -> Any:
        return self.plugins

    def list_runs(self, context: Any, *, experiment_id: str) -> list[Any]:
        self.calls["list_runs"] += 1
        return [SimpleNamespace(run_name=run) for run in self.runs]

    def list_scalars(
        self, context: Any, *, experiment_id: str, plugin_name: str, run_tag_filter: Any
    ) -> dict[str, dict[str, Any]]:
        self.calls["list_scalars"] += 1
        self.seen += run_tag_filter.runs
        return {run: dict.fromkeys(self.runs[run]) for run in run_tag_filter.runs}


def active(provider: Any) -> bool:
    return ConvergencePlugin(SimpleNamespace(data_provider=provider, flags=None)).is_active()


@pytest.mark.parametrize(("tags", "expected"), [
    (("Loss/train",), True), (("train/box_loss",), True), (("d_loss", "g_loss"), True),
    (("train/value_loss",), True), (("val_loss",), True), (("train_mse",), True),
    (("accuracy", "epoch"), False), ((), False),
])
def test_a_loss_wakes_the_tab_up(tags: tuple[str, ...], expected: bool) -> None:
    assert active(Provider(r=tags)) is expected


def test_without_scalars_nobody_looks() -> None:
    provider = Provider(("images",), r=("loss",))
    assert not active(provider)
    assert not provider.calls


def test_where_plugins_cannot_be_listed_a_loss_is_looked_for() -> None:
    assert active(Provider(None, r=("loss",)))


def test_one_question_looks_at_a_few_runs_and_the_next_goes_on() -> None:
    names = {f"r{number:04}": ("accuracy",) for number in range(5 * RUNS_AT_ONCE)}
    provider = Provider(("scalars",), **names)
    now = [0.0]

    def clock() -> float:
        now[0] += LOOK_SECONDS
        return now[0]

    looking = LossPresence(provider, clock)
    assert not looking.found()
    assert 0 < len(provider.seen) <= 2 * RUNS_AT_ONCE
    for _ in range(10):
        looking.found()
    assert sorted(provider.seen) == sorted(names)
    provider.runs["r0001"] = ("loss",)
    assert not looking.found()
    now[0] += AGAIN_SECONDS
    for _ in range(10):
        if looking.found():
            break
    assert looking.found()
    calls = provider.calls.total()
    assert looking.found()
    assert provider.calls.total() == calls


def test_a_provider_that_fails_is_no_loss_and_no_error() -> None:
    class Broken(Provider):
        def list_scalars(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("gone")

    assert not active(Broken(r=("loss",)))
