"""A bounded cache that computes each key once, however many requests ask at the same time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar, cast

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BusyError(Exception):
    """Another request has been computing the same thing for too long."""


class _Computation(Generic[Value]):
    """One value on its way: who comes later waits for it."""

    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Value | None = None
        self.error: BaseException | None = None


class Cache(Generic[Key, Value]):
    """Least recently used values, by key, up to a total cost.

    No lock is held while a value is computed. An exception reaches everyone who waits for that
    computation, and is not remembered.
    """

    def __init__(
        self,
        most: float,
        cost: Callable[[Value], float] = lambda _: 1.0,
        wait_seconds: float = 60.0,
    ) -> None:
        """Args:
            most: total cost that is kept; a value that alone costs more is not kept at all.
            cost: of a value, in the unit of `most`.
            wait_seconds: how long to wait for another thread's computation.
        """
        self._most = most
        self._cost = cost
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[Value, float]] = OrderedDict()
        self._total = 0.0
        self._running: dict[Key, _Computation[Value]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def total(self) -> float:
        """Cost of all that is kept; never above `most`."""
        return self._total

    def peek(self, key: Key) -> Value | None:
        """The value of `key` if it is there; never computes, never waits."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return None
            self._kept.move_to_end(key)
            return entry[0]

    def get(self, key: Key, compute: Callable[[], Value]) -> Value:
        """The value of `key`; computes it if it is not cached.

        Raises:
            BusyError: another thread computes it and did not finish in time.
        """
        with self._lock:
            entry = self._kept.get(key)
            if entry is not None:
                self._kept.move_to_end(key)
                return entry[0]
            running = self._running.get(key)
            ours = running is None
            if running is None:
                running = self._running[key] = _Computation()
        if not ours:
            return self._wait(running)
        try:
            value = running.value = compute()
        except BaseException as error:
            running.error = error
            raise
        else:
            self._keep(key, value)
            return value
        finally:
            with self._lock:
                del self._running[key]
            running.done.set()

    def _wait(self, running: _Computation[Value]) -> Value:
        if not running.done.wait(self._wait_seconds):
            raise BusyError
        if isinstance(running.error, Exception):
            raise running.error
        if running.error is not None:  # the other thread was told to end; this one was not
            raise BusyError from running.error
        return cast(Value, running.value)

    def _keep(self, key: Key, value: Value) -> None:
        cost = self._cost(value)
        if cost > self._most:
            return
        with self._lock:
            self._kept[key] = (value, cost)
            self._total += cost
            while self._total > self._most:
                _, (_, freed) = self._kept.popitem(last=False)
                self._total -= freed
