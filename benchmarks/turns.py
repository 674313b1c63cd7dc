"""Contenders that take turns, so that whatever else the machine does hits all of them alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of the ratios of N turns, with the middle half of them."""

    middle: float
    low: float
    high: float
    turns: int

    def __str__(self) -> str:
        return f"{_short(self.middle)} ({_short(self.low)} to {_short(self.high)})"


def ratio(times: list[float], against: list[float]) -> Ratio:
    """`times[i] / against[i]`, summed up."""
    found = np.asarray(times) / np.asarray(against)
    low, high = np.quantile(found, (0.25, 0.75))
    return Ratio(float(median(found)), float(low), float(high), len(found))


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:,.0f}"


@dataclass(slots=True)
class Clock:
    """Seconds of each turn: on the wall, and of the processor."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def calls(contenders: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, Clock]:
    """Each contender called once per turn, one after the other; the first turn does not count."""
    clocks = {name: Clock() for name in contenders}
    for turn in range(turns + 1):
        for name, call in contenders.items():
            wall, processor = time.perf_counter(), time.process_time()
            call()
            if turn:
                clocks[name].wall.append(time.perf_counter() - wall)
                clocks[name].processor.append(time.process_time() - processor)
    return clocks


class _Baton:
    """Hands the turn round a circle of threads."""

    def __init__(self, count: int) -> None:
        self._gates = [threading.Semaphore(int(index == 0)) for index in range(count)]

    def take(self, index: int) -> None:
        self._gates[index].acquire()

    def give(self, index: int) -> None:
        self._gates[(index + 1) % len(self._gates)].release()


class _First(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Waits for its turn before any other callback begins the epoch."""

    def __init__(self, baton: _Baton, index: int) -> None:
        super().__init__()
        self._baton, self._index = baton, index
        self.began = (0.0, 0.0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._baton.take(self._index)
        self.began = (time.perf_counter(), time.process_time())


class _Last(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Ends the turn after every other callback has ended the epoch."""

    def __init__(self, baton: _Baton, index: int, first: _First, clock: Clock, skip: int) -> None:
        super().__init__()
        self._baton, self._index, self._first = baton, index, first
        self._clock, self._skip = clock, skip

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        wall, processor = self._first.began
        if epoch >= self._skip:
            self._clock.wall.append(time.perf_counter() - wall)
            self._clock.processor.append(time.process_time() - processor)
        self._baton.give(self._index)


def fits(
    contenders: Mapping[str, tuple[Any, list[Any]]], data: Any, turns: int, skip: int
) -> dict[str, Clock]:
    """(model, callbacks) of each contender in a `fit` of its own; an epoch is a turn.

    The first `skip` turns, in which functions are traced and every step is recorded, do not count.
    """
    baton = _Baton(len(contenders))
    clocks = {name: Clock() for name in contenders}
    failures: list[BaseException] = []

    def train(index: int, name: str) -> None:
        model, callbacks = contenders[name]
        first = _First(baton, index)
        last = _Last(baton, index, first, clocks[name], skip)
        try:
            model.fit(data, epochs=turns + skip, verbose=0, callbacks=[first, *callbacks, last])
        except BaseException as error:  # the others wait for this thread's turn to end
            failures.append(error)
            for _ in range(turns + skip):
                baton.give(index)

    threads = [
        threading.Thread(target=train, args=(index, name)) for index, name in enumerate(contenders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return clocks
