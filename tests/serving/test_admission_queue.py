"""Whose turn it is: few keys at a time, all who ask about one together, nobody forgotten."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tb_convergence.serving.admission_queue import AdmissionQueue
from tb_convergence.serving.bounded_executor import BoundedExecutor
from tb_convergence.serving.cache import BusyError


def test_keys_are_admitted_in_order() -> None:
    queue: AdmissionQueue[int, str] = AdmissionQueue(2)
    lock = threading.Lock()
    here: list[int] = []
    most = 0
    order: list[int] = []

    def work(number: int) -> None:
        nonlocal most
        key = number % 10
        with queue.at(key, 20):
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
    with queue.at(100, 0), queue.at(101, 0):  # nobody is left inside, and nobody waits
        assert queue.look(0) is None


def test_who_asks_about_a_key_that_is_there_joins_in() -> None:
    queue: AdmissionQueue[str, str] = AdmissionQueue(1)
    with queue.at("a", 0):
        assert queue.look("a") is None
        queue.put("a", "read")
        with queue.at("a", 0):
            assert queue.look("a") == "read"
        assert queue.look("a") == "read"
    assert queue.look("a") is None
    queue.put("a", "too late")
    assert queue.look("a") is None


def test_waiting_ends_and_leaves_the_queue_to_the_others() -> None:
    queue: AdmissionQueue[str, str] = AdmissionQueue(1)
    entered = threading.Event()

    def patient() -> None:
        with queue.at("c", 20):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with queue.at("a", 0):
            for key in ("b", "c"):
                with pytest.raises(BusyError), queue.at(key, 0.01):
                    pass
            done = pool.submit(patient)
            assert not entered.wait(0.05)
        done.result()
    assert entered.is_set()


def test_a_key_is_left_after_a_failure() -> None:
    queue: AdmissionQueue[str, str] = AdmissionQueue(1)
    with pytest.raises(ValueError, match="broken"), queue.at("a", 0):
        raise ValueError("broken")
    with queue.at("b", 0):
        pass


def test_a_bounded_executor_works_for_many_and_raises_what_the_work_raises() -> None:
    executor = BoundedExecutor(2, "test", 20)
    with ThreadPoolExecutor(20) as pool:
        threads = {
            done.result() for done in
            [pool.submit(executor.run, threading.get_ident) for _ in range(100)]
        }
    assert len(threads) <= 2
    with pytest.raises(ZeroDivisionError):
        executor.run(lambda: 1 / 0)


def test_nobody_waits_forever_for_a_thread() -> None:
    executor = BoundedExecutor(1, "test", 0.05)
    begun, end = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(executor.run, lambda: begun.set() or end.wait(20))
        assert begun.wait(20)
        with pytest.raises(BusyError):
            executor.run(lambda: None)
        end.set()
        assert busy.result()
    assert executor.run(lambda: 3) == 3
