"""Runs one kind of work on a few threads: more at a time would be slower and take more memory.

The C library keeps the memory that a thread has freed for that thread. If each request read a run
in its own thread, every thread would keep the memory of reading one run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from tb_convergence.serving.cache import BusyError

Value = TypeVar("Value")


class BoundedExecutor:
    """A thread pool that refuses work for which no thread becomes free in time."""

    def __init__(self, threads: int, name: str, wait_seconds: float) -> None:
        """Args:
            threads: how many there are.
            name: of the threads.
            wait_seconds: how long to wait for one that is free.
        """
        self._free = threading.BoundedSemaphore(threads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._wait_seconds = wait_seconds

    def run(self, work: Callable[[], Value]) -> Value:
        """What `work` returns or raises.

        Raises:
            BusyError: no thread was free in time.
        """
        if not self._free.acquire(timeout=self._wait_seconds):
            raise BusyError
        try:
            return self._threads.submit(_quietly, work).result()
        finally:
            self._free.release()


def _quietly(work: Callable[[], Value]) -> Value:
    # As requests are answered: a log may hold any number.
    with np.errstate(over="ignore", invalid="ignore"):
        return work()
