"""One computation per key, whoever asks; bounded memory; errors are not remembered."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tb_convergence.serving.cache import BusyError, Cache


def test_fifty_threads_and_one_computation() -> None:
    cache: Cache[str, object] = Cache(10)
    everyone = threading.Barrier(50)
    computed = []

    def compute() -> object:
        computed.append(1)
        threading.Event().wait(0.05)
        return object()

    def ask(_: int) -> object:
        everyone.wait()
        return cache.get("key", compute)

    with ThreadPoolExecutor(50) as pool:
        values = list(pool.map(ask, range(50)))
    assert len(computed) == 1
    assert len({id(value) for value in values}) == 1


def test_different_keys_do_not_wait_for_each_other() -> None:
    cache: Cache[str, str] = Cache(10)
    inside = threading.Event()
    release = threading.Event()

    def slow() -> str:
        inside.set()
        assert release.wait(10)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.get, "slow", slow)
        assert inside.wait(10)
        assert cache.get("fast", lambda: "fast") == "fast"
        assert cache.peek("slow") is None
        release.set()
        assert waiting.result() == "slow"


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    cache: Cache[str, int] = Cache(10)
    inside = threading.Event()
    release = threading.Event()

    def fail() -> int:
        inside.set()
        assert release.wait(10)
        raise ValueError("once")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fail)
        assert inside.wait(10)
        second = pool.submit(cache.get, "key", lambda: 0)
        threading.Event().wait(0.05)
        release.set()
        for asked in (first, second):
            with pytest.raises(ValueError, match="once"):
                asked.result()
    assert cache.get("key", lambda: 7) == 7


def test_waiting_ends() -> None:
    cache: Cache[str, int] = Cache(10, wait_seconds=0.01)
    release = threading.Event()
    inside = threading.Event()

    def slow() -> int:
        inside.set()
        assert release.wait(10)
        return 1

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get, "key", slow)
        assert inside.wait(10)
        with pytest.raises(BusyError):
            cache.get("key", lambda: 2)
        release.set()
        assert first.result() == 1


def test_a_thread_that_is_told_to_end_does_not_end_those_who_wait() -> None:
    cache: Cache[str, int] = Cache(10)
    inside = threading.Event()
    release = threading.Event()

    def end() -> int:
        inside.set()
        assert release.wait(10)
        raise SystemExit

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", end)
        assert inside.wait(10)
        second = pool.submit(cache.get, "key", lambda: 0)
        threading.Event().wait(0.05)
        release.set()
        with pytest.raises(SystemExit):
            first.result()
        with pytest.raises(BusyError):
            second.result()


def test_least_recently_used_goes_first_and_the_total_stays_bounded() -> None:
    cache: Cache[str, str] = Cache(10, cost=len)
    for value in ("aaa", "bbb", "ccc"):
        cache.get(value, lambda value=value: value)  # type: ignore[misc]
    assert cache.peek("aaa") == "aaa"
    cache.get("dd", lambda: "dd")
    assert cache.peek("bbb") is None
    assert [cache.peek(key) for key in ("aaa", "ccc", "dd")] == ["aaa", "ccc", "dd"]
    assert cache.total == 8
    assert cache.get("huge", lambda: "x" * 11) == "x" * 11
    assert cache.peek("huge") is None
    assert (len(cache), cache.total) == (3, 8)
