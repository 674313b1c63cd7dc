"""Whose turn it is: few keys at a time, all who ask about one together, nobody forgotten."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tb_convergence.serving.cache import BusyError
from tb_convergence.serving.desk import Desk
from tb_convergence.serving.few import Few


def test_few_keys_at_a_time_in_the_order_they_came() -> None:
    desk: Desk[int, str] = Desk(2)
    lock = threading.Lock()
    here: list[int] = []
    most = 0
    order: list[int] = []

    def work(number: int) -> None:
        nonlocal most
        key = number % 10
        with desk.at(key, 20):
            with lock:
                here.append(key)
                most = max(most, len(set(here)))
                order.append(key)
            time.sleep(0.01)
            with lock:
                here.remove(key)

    with ThreadPoolExecutor(60) as pool:
        for done in [pool.submit(work, number) for number in range(60)]:
            done.result()
    assert most == 2
    assert sorted(order) == sorted(number % 10 for number in range(60))
    assert not desk._here
    assert not desk._queue


def test_who_asks_about_a_key_that_is_there_joins_in() -> None:
    desk: Desk[str, str] = Desk(1)
    with desk.at("a", 0):
        assert desk.look("a") is None
        desk.put("a", "read")
        with desk.at("a", 0):
            assert desk.look("a") == "read"
        assert desk.look("a") == "read"
    assert desk.look("a") is None
    desk.put("a", "too late")
    assert desk.look("a") is None


def test_waiting_ends_and_leaves_the_queue_to_the_others() -> None:
    desk: Desk[str, str] = Desk(1)
    entered = threading.Event()

    def patient() -> None:
        with desk.at("c", 20):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with desk.at("a", 0):
            for key in ("b", "c"):
                with pytest.raises(BusyError), desk.at(key, 0.01):
                    pass
            done = pool.submit(patient)
            assert not entered.wait(0.05)
        done.result()
    assert entered.is_set()


def test_a_key_is_left_after_a_failure() -> None:
    desk: Desk[str, str] = Desk(1)
    with pytest.raises(ValueError, match="broken"), desk.at("a", 0):
        raise ValueError("broken")
    with desk.at("b", 0):
        pass


def test_few_do_the_work_of_many_and_raise_what_it_raises() -> None:
    few = Few(2, "test", 20)
    with ThreadPoolExecutor(20) as pool:
        threads = {
            done.result() for done in
            [pool.submit(few.run, threading.get_ident) for _ in range(100)]
        }
    assert len(threads) <= 2
    with pytest.raises(ZeroDivisionError):
        few.run(lambda: 1 / 0)


def test_nobody_waits_forever_for_the_few() -> None:
    few = Few(1, "test", 0.05)
    end = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(few.run, lambda: end.wait(20))
        while few._free._value:
            time.sleep(0.001)
        with pytest.raises(BusyError):
            few.run(lambda: None)
        end.set()
        assert busy.result()
    assert few.run(lambda: 3) == 3
