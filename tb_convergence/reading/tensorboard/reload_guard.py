"""Keeps one unreadable record from ending TensorBoard's reading of every run (Python loader).

TensorBoard reads runs in a thread that ends with the first exception it does not expect, such as
that of a record that is no event. The page then shows what had been read by then, for ever and
without a word. With this in place the record is left out, reading goes on, and the run is named.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from weakref import WeakKeyDictionary

from google.protobuf.message import DecodeError

from tb_convergence.reading.reasons import reason_of

MAX_BAD_EVENTS: Final = 100
"""Records of one run that may fail to parse at one look before the rest waits for the next."""

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")
_lock: Final = threading.Lock()
_problems: Final[WeakKeyDictionary[Any, list[str]]] = WeakKeyDictionary()


def guard_reloading() -> bool:
    """Guard TensorBoard's Python loader in this process, once; whether it is guarded now."""
    from tensorboard.backend.event_processing import (  # noqa: PLC0415 - only where it is used
        directory_watcher,
        plugin_event_accumulator,
    )

    kind: Any = getattr(plugin_event_accumulator, "EventAccumulator", None)
    reload = getattr(kind, "Reload", None)
    if reload is None:
        return False
    if not hasattr(reload, "guarded"):
        expected = (OSError, directory_watcher.DirectoryDeletedError)
        kind.Reload = _guarded(reload, expected)
    return True


def _guarded(reload: Callable[[Any], Any], expected: tuple[type[Exception], ...]) -> Any:
    """`reload` of an accumulator, which raises only what its caller expects."""

    @wraps(reload)
    def guarded(accumulator: Any) -> Any:
        for _ in range(MAX_BAD_EVENTS):
            try:
                return reload(accumulator)
            except expected:
                raise
            except DecodeError:
                _note(accumulator, "a record that is not an event was skipped")
            except Exception as error:
                _note(accumulator, f"reading stopped: {reason_of(error)}")
                break
        return accumulator

    guarded.guarded = True  # type: ignore[attr-defined]
    return guarded


def _note(accumulator: Any, problem: str) -> None:
    with _lock:
        known = _problems.setdefault(accumulator, [])
        if problem in known:
            return
        known.append(problem)
    _logger.warning("convergence: %s: %s", getattr(accumulator, "path", "a run"), problem)


def problems_of(multiplexer: Any, run: str) -> tuple[str, ...]:
    """What could not be read of `run` of an `EventMultiplexer`; () where nothing is known."""
    try:
        accumulator = multiplexer.GetAccumulator(run)
    except (AttributeError, KeyError):
        return ()
    return noted(accumulator)


def noted(accumulator: Any) -> tuple[str, ...]:
    """What the guard left out while `accumulator` was read; () without a guard."""
    with _lock:
        return tuple(_problems.get(accumulator, ()))
