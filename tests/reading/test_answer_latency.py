"""TensorBoard's data server is answered to without waiting for a delayed acknowledgement."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from event_files import EventFile
from tensorboard.context import RequestContext

from tb_convergence.reading.tensorboard import answer_latency, loaders
from tb_convergence.reading.tensorboard.answer_latency import answering_at_once


class _Provider:
    """Answers when it was asked something else meanwhile, as the server does; or too late."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.questions = 0

    def list_runs(self, ctx: Any, *, experiment_id: str) -> list[str]:
        assert self.asked.wait(20)
        return [experiment_id]

    def experiment_metadata(self, ctx: Any, *, experiment_id: str) -> None:
        self.questions += 1
        self.asked.set()
        raise RuntimeError("nobody waits for this")

    def fail(self) -> None:
        raise ValueError("as it is")


_Provider.__module__ = "tensorboard.data.grpc_provider"


def test_a_question_follows_a_call_that_is_out() -> None:
    provider = _Provider()
    assert answering_at_once(provider).list_runs(None, experiment_id="mine") == ["mine"]
    assert provider.questions


def test_what_a_call_raises_is_raised_and_nothing_is_asked_when_no_call_is_out() -> None:
    provider = _Provider()
    with pytest.raises(ValueError, match="as it is"):
        answering_at_once(provider).fail()
    time.sleep(4 * answer_latency.AFTER_SECONDS)
    asked = provider.questions
    time.sleep(10 * answer_latency.AFTER_SECONDS)
    assert provider.questions == asked <= 1


def test_a_long_call_is_left_alone() -> None:
    class Slow(_Provider):
        def list_runs(self, ctx: Any, *, experiment_id: str) -> list[str]:
            time.sleep(4 * answer_latency.UNTIL_SECONDS)
            return []

    Slow.__module__ = _Provider.__module__
    provider = Slow()
    answering_at_once(provider).list_runs(None, experiment_id="")
    assert provider.questions <= answer_latency.UNTIL_SECONDS / answer_latency.AFTER_SECONDS + 1


def test_other_providers_are_left_alone() -> None:
    provider = object()
    assert answering_at_once(provider) is provider


@pytest.mark.skipif(loaders.fast_binary() is None, reason="no data server for this machine")
def test_the_data_server_is_recognized(tmp_path: Path) -> None:
    """By the name of its module, which TensorBoard may change."""
    with EventFile(tmp_path) as file:
        file.scalar("loss", 0, 1.0)
    binary = loaders.fast_binary()
    assert binary is not None
    with loaders.fast(tmp_path, binary, {}) as source:
        assert type(source.provider) is answer_latency._Answering
        assert source.runs() == (".",)
        assert source.provider.list_plugins(RequestContext(), experiment_id="") == ["scalars"]


def test_its_threads_end_with_the_provider() -> None:
    before = set(threading.enumerate())
    found = answering_at_once(_Provider())
    found.list_runs(None, experiment_id="")
    started = [one for one in set(threading.enumerate()) - before if one.name.startswith("answer")]
    assert started
    del found
    for one in started:
        one.join(20)
        assert not one.is_alive()
