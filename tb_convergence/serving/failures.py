"""Handles a run that cannot be read: report it, log it once, and try again later."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, TypeVar

from tensorboard import errors

from tb_convergence.serving.cache import BusyError
from tb_convergence.serving.parameters import RefusedError
from tb_convergence.serving.source import NoSuchRunError, UnavailableError

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")

_REMEMBERED: Final = 1_000

Value = TypeVar("Value")


class RunUnreadableError(Exception):
    """A run that could not be read or diagnosed.

    Attributes:
        public: why, without paths and tracebacks: safe to show.
    """

    def __init__(self, public: str) -> None:
        super().__init__(public)
        self.public = public


_ANSWERS: Final = (
    BusyError, NoSuchRunError, RefusedError, RunUnreadableError, UnavailableError,
    errors.PublicError,
)
"""Errors that say by themselves what to answer: not a failure of the run."""


class Failures:
    """Runs that failed lately. A run is not tried again at once: its failure may be slow."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        """Args:
            seconds: how long a failed run is left alone.
            clock: seconds.
        """
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        # The text alone: an exception would keep what was read of the run alive with its frames.
        self._failed: OrderedDict[Hashable, tuple[float, str]] = OrderedDict()
        self._logged: OrderedDict[Hashable, None] = OrderedDict()

    def guarded(self, key: Hashable, action: str, compute: Callable[[], Value]) -> Value:
        """What `compute` returns.

        Args:
            key: which run, in which state.
            action: what is done to it, as "read" in "could not be read".
            compute: does it.

        Raises:
            RunUnreadableError: it failed, now or lately.
            Other errors that already say what to answer, as `compute` raises them.
        """
        with self._lock:
            failed = self._failed.get((key, action))
        if failed is not None and self._clock() - failed[0] < self._seconds:
            raise RunUnreadableError(failed[1])
        try:
            return compute()
        except _ANSWERS:
            raise
        except Exception as error:
            public = f"it could not be {action} ({type(error).__name__}); see TensorBoard's log"
            self._remember((key, action), public, error)
            raise RunUnreadableError(public) from error

    def _remember(
        self, key: tuple[Hashable, str], public: str, error: Exception
    ) -> None:
        kind = (key, f"{type(error).__name__}: {error}")
        with self._lock:
            self._failed[key] = (self._clock(), public)
            self._failed.move_to_end(key)
            known = kind in self._logged
            self._logged[kind] = None
            while len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)
            while len(self._logged) > _REMEMBERED:
                self._logged.popitem(last=False)
        if not known:
            _logger.error("convergence: %r could not be %s", *key, exc_info=error)
