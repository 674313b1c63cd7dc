"""Runs of a data provider: what exists, what has changed, and how failures are told apart."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard import errors

from tb_convergence.core.history import RunHistory
from tb_convergence.reading import DataUnavailableError, RunNotFoundError
from tb_convergence.reading import provider as reading_provider
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.serving import provider_source
from tb_convergence.serving.provider_source import ProviderSource
from tb_convergence.serving.source import NoSuchRunError, Scope, UnavailableError
from tests.reading.event_files import EventFile
from tests.serving.samples import healthy

CONTEXT = object()
SCOPE = Scope(CONTEXT, "e7")


class Provider:
    """Lists what it is told, checks what every call is given."""

    def __init__(self, **series: dict[str, tuple[int, float]]) -> None:
        self.series = {name.replace("__", "/"): tags for name, tags in series.items()}
        self.error: Exception | None = None
        self.calls: list[str] = []

    def _check(self, name: str, context: Any, experiment_id: str) -> None:
        self.calls.append(name)
        assert context is CONTEXT
        assert experiment_id == "e7"
        if self.error:
            raise self.error

    def list_runs(self, context: Any, *, experiment_id: str) -> Any:
        self._check("list_runs", context, experiment_id)
        return [SimpleNamespace(run_name=run) for run in self.series]

    def list_tensors(self, context: Any, *, experiment_id: str, plugin_name: str,
                     run_tag_filter: Any) -> Any:
        self._check("list_tensors", context, experiment_id)
        if plugin_name != "convergence":
            assert plugin_name == "histograms"
            return {}
        return {
            run: {
                tag: SimpleNamespace(max_step=step, max_wall_time=time)
                for tag, (step, time) in tags.items()
            }
            for run, tags in self.series.items()
            if run_tag_filter.runs is None or run in run_tag_filter.runs
        }

    def list_scalars(self, context: Any, *, experiment_id: str, plugin_name: str,
                     run_tag_filter: Any) -> Any:
        self._check("list_scalars", context, experiment_id)
        assert plugin_name == "scalars"
        return {}


def test_runs_of_one_training_are_one_and_their_versions_move_together() -> None:
    provider = Provider(a__train={"t": (1, 5.0)}, a__validation={"t": (1, 6.0)}, b={"t": (1, 1.0)})
    source = ProviderSource(provider)
    before = source.versions(SCOPE)
    assert set(before) == {"a", "b"}
    assert before["a"].latest_seconds == 6.0
    assert source.versions(SCOPE) == before
    assert source.versions(SCOPE, "a") == {"a": before["a"]}
    provider.series["a/validation"]["t"] = (2, 6.0)
    after = source.versions(SCOPE)
    assert after["a"].digest != before["a"].digest
    assert after["b"] == before["b"]


@pytest.mark.parametrize("change", [(3, 5.0), (1, 5.5), (0, 4.0)])
def test_a_step_or_a_clock_that_moves_is_a_new_version(change: tuple[int, float]) -> None:
    provider = Provider(r={"t": (1, 5.0)})
    source = ProviderSource(provider)
    before = source.versions(SCOPE)["r"]
    provider.series["r"]["t"] = change
    assert source.versions(SCOPE)["r"].digest != before.digest


def test_a_new_tag_is_a_new_version() -> None:
    provider = Provider(r={"t": (1, 5.0)})
    before = ProviderSource(provider).versions(SCOPE)["r"]
    provider.series["r"]["u"] = (1, 5.0)
    assert ProviderSource(provider).versions(SCOPE)["r"].digest != before.digest


def test_an_unknown_run_has_no_version() -> None:
    provider = Provider(r={"t": (1, 5.0)})
    assert ProviderSource(provider).versions(SCOPE, "nobody") == {}


@pytest.mark.parametrize(("run", "together"), [(None, 4), ("r", 3)])
def test_lists_are_asked_for_all_at_once(run: str | None, together: int) -> None:
    """One after the other, each would wait for the data server's delayed answer.

    Of one run the names come first: they say which of TensorBoard's runs it is made of.
    """

    class Meeting(Provider):
        gate = threading.Barrier(together, timeout=30)

        def _check(self, name: str, context: Any, experiment_id: str) -> None:
            super()._check(name, context, experiment_id)
            if together == 4 or name != "list_runs":
                self.gate.wait()

    provider = Meeting(r={"t": (1, 5.0)})
    assert set(ProviderSource(provider).versions(SCOPE, run)) == {"r"}
    assert sorted(provider.calls) == ["list_runs", "list_scalars", "list_tensors", "list_tensors"]


def test_a_run_of_a_name_that_is_not_text_can_be_listed() -> None:
    provider = Provider(**{"bad\udcff": {"t\udcff": (1, 5.0)}})
    assert set(ProviderSource(provider).versions(SCOPE)) == {"bad\udcff"}


def test_refusals_pass_and_everything_else_is_unavailable() -> None:
    provider = Provider(r={})
    provider.error = errors.PermissionDeniedError("no")
    with pytest.raises(errors.PermissionDeniedError):
        ProviderSource(provider).versions(SCOPE)
    provider.error = RuntimeError("StatusCode.UNAVAILABLE at /home/someone")
    with pytest.raises(UnavailableError) as unavailable:
        ProviderSource(provider).versions(SCOPE)
    assert "/home" not in str(unavailable.value)
    with pytest.raises(UnavailableError):
        ProviderSource(None).versions(SCOPE)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (RunNotFoundError("r"), NoSuchRunError),
        (DataUnavailableError("at /home/someone"), UnavailableError),
        (ValueError("a bug"), ValueError),
    ],
)
def test_failures_of_reading(
    raised: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_folded(source: Any, run: FoldedRun) -> Any:
        assert (source.context, source.experiment_id, run.name) == (CONTEXT, "e7", "r")
        raise raised

    monkeypatch.setattr(provider_source, "read_folded", read_folded)
    with pytest.raises(expected) as found:
        ProviderSource(Provider(r={})).history(SCOPE, "r")
    if expected is UnavailableError:
        assert "/home" not in str(found.value)


def reads(monkeypatch: pytest.MonkeyPatch, **histories: RunHistory) -> list[FoldedRun]:
    """Let reading give `histories` by member; what is read."""
    read: list[FoldedRun] = []

    def read_folded(source: Any, run: FoldedRun) -> RunHistory:
        read.append(run)
        return next((histories[one] for one in run.members if one in histories), RunHistory("r"))

    for module in (provider_source, reading_provider):
        monkeypatch.setattr(module, "read_folded", read_folded)
    return read


def test_a_run_that_was_listed_just_now_is_read_without_listing_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = Provider(r__train={"t": (1, 5.0)}, r__validation={}, other={})
    read = reads(monkeypatch, **{"r/train": healthy()})
    source = ProviderSource(provider)
    assert set(source.versions(SCOPE)) == {"r", "other"}
    provider.calls.clear()
    assert source.history(SCOPE, "r").run == healthy().run
    assert read == [FoldedRun("r", ("r/train",), ("r/validation",))]
    assert "list_runs" not in provider.calls
    monkeypatch.setattr(provider_source, "RECENT_SECONDS", 0.0)
    assert source.history(SCOPE, "r").run == healthy().run
    assert read[1] == read[0]
    assert "list_runs" in provider.calls


def test_a_run_that_went_since_it_was_listed_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Provider(r={"t": (1, 5.0)})
    reads(monkeypatch)
    source = ProviderSource(provider)
    source.versions(SCOPE)
    assert source.history(SCOPE, "r").tables == {}  # it is there, and holds nothing
    provider.series.clear()
    with pytest.raises(NoSuchRunError):
        source.history(SCOPE, "r")


def test_what_another_experiment_listed_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class OfTwo(Provider):
        """Only the experiment e7 has the run."""

        def _check(self, name: str, context: Any, experiment_id: str) -> None:
            self.calls.append(f"{name} {experiment_id}")

        def list_runs(self, context: Any, *, experiment_id: str) -> Any:
            self._check("list_runs", context, experiment_id)
            return [SimpleNamespace(run_name="r")] if experiment_id == "e7" else []

    provider = OfTwo(r={"t": (1, 5.0)})
    reads(monkeypatch, r=healthy())
    source = ProviderSource(provider)
    source.versions(SCOPE)
    provider.calls.clear()
    assert source.history(SCOPE, "r").tables
    assert "list_runs e7" not in provider.calls, "it was listed just now"
    with pytest.raises(NoSuchRunError):
        source.history(Scope(CONTEXT, "e8"), "r")
    assert "list_runs e8" in provider.calls


def test_a_part_that_has_come_since_runs_were_listed_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else its version would be remembered with data that lack it."""
    provider = Provider(r__train={"t": (1, 5.0)})
    read = reads(monkeypatch, **{"r/train": healthy()})
    source = ProviderSource(provider)
    before = source.versions(SCOPE)["r"]
    provider.series["r/validation"] = {"t": (1, 6.0)}
    assert source.versions(SCOPE, "r")["r"] != before
    source.history(SCOPE, "r")
    assert read == [FoldedRun("r", ("r/train",), ("r/validation",))]


def test_a_record_that_no_list_shows_for_its_clock_is_a_new_version(tmp_path: Path) -> None:
    source = ProviderSource(Provider(r={"t": (1, 5.0)}), logdir=str(tmp_path))
    with EventFile(tmp_path / "r") as file:
        file.simple("loss", 0, 1.0)
        seen = [source.versions(SCOPE, "r")["r"].digest]
        for step in (1, 2):
            file.simple("loss", step, 1.0, float("nan"))
            seen.append(source.versions(SCOPE, "r")["r"].digest)
    assert len(set(seen)) == 3
    assert source.versions(SCOPE)["r"].digest == seen[-1]
