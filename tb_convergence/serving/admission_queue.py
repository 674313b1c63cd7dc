"""Admits a few runs at a time; requests for the same run share one admission.

A run in memory is large. If many people ask about many runs at once, interleaving the work would
hold all runs in memory or read each of them repeatedly. So a run that is admitted is finished for
everyone who asks about it, and the other runs wait their turn. The queue keeps the value of an
admitted run until the last request leaves, whatever room the cache has.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from tb_convergence.serving.cache import BusyError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(slots=True)
class _Place(Generic[Value]):
    """A key that is worked on: by how many, and what lies there."""

    workers: int
    value: Value | None = None


class _Ticket:
    """A key in the queue: the number of waiting requests, and the signal that it is their turn."""

    __slots__ = ("called", "waiting")

    def __init__(self) -> None:
        self.called = threading.Event()
        self.waiting = 0


class AdmissionQueue(Generic[Key, Value]):
    """Admits a few keys at a time, first come first served, and any number of requests for each."""

    def __init__(self, places: int) -> None:
        """Args:
            places: how many keys there is room for.
        """
        self._places = places
        self._lock = threading.Lock()
        self._here: dict[Key, _Place[Value]] = {}
        self._queue: OrderedDict[Key, _Ticket] = OrderedDict()

    @contextmanager
    def at(self, key: Key, wait_seconds: float) -> Iterator[None]:
        """Work on `key`; a thread has one key at most.

        Raises:
            BusyError: there was no room within `wait_seconds`.
        """
        ticket = self._ticket(key)
        if ticket is not None and not ticket.called.wait(max(0.0, wait_seconds)):
            with self._lock:
                if not ticket.called.is_set():
                    ticket.waiting -= 1
                    if not ticket.waiting:
                        del self._queue[key]
                    raise BusyError
        try:
            yield
        finally:
            self._leave(key)

    def put(self, key: Key, value: Value) -> None:
        """Leave `value` for all who work on `key`, until the last of them goes."""
        with self._lock:
            place = self._here.get(key)
            if place is not None:
                place.value = value

    def look(self, key: Key) -> Value | None:
        """The value that was left for `key`; None without one."""
        with self._lock:
            place = self._here.get(key)
            return None if place is None else place.value

    def _ticket(self, key: Key) -> _Ticket | None:
        """What to wait for; None if there is room."""
        with self._lock:
            if key in self._here or (len(self._here) < self._places and not self._queue):
                self._here.setdefault(key, _Place(0)).workers += 1
                return None
            ticket = self._queue.setdefault(key, _Ticket())
            ticket.waiting += 1
            return ticket

    def _leave(self, key: Key) -> None:
        with self._lock:
            self._here[key].workers -= 1
            if not self._here[key].workers:
                del self._here[key]
            while self._queue and len(self._here) < self._places:
                called, ticket = self._queue.popitem(last=False)
                self._here[called] = _Place(ticket.waiting)
                ticket.called.set()
