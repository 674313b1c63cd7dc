"""Finds out step by step whether a log directory contains a loss that can be read.

TensorBoard asks a plugin again and again whether it is active, for all runs at once, and waits for
the answer. So each call checks a few more runs, newest names first, and a positive result is final.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from tb_convergence.reading.scalar_roles import scalar_role

RUNS_AT_ONCE: Final = 50
"""Runs whose scalars one call lists."""
LOOK_SECONDS: Final = 0.05
"""How long one question may look; at least one call is made."""
AGAIN_SECONDS: Final = 20.0
"""After all runs were looked at in vain, how long until they are looked at again."""

_LOSSES: Final = frozenset({"loss", "agent_loss", "generator_loss", "discriminator_loss"})


def holds_loss(tags: Iterable[str]) -> bool:
    """Whether one of the scalars `tags` is a loss by its name."""
    return any(scalar_role(tag).role in _LOSSES for tag in tags)


class LossPresence:
    """Remembers positive results. Thread-safe; never raises."""

    def __init__(self, provider: Any, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
            provider: a `tensorboard.data.provider.DataProvider`.
            clock: seconds.
        """
        self._provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._found = False
        self._seen: set[str] = set()
        self._rest_until = 0.0

    def found(self) -> bool:
        """Whether a loss has been found by now."""
        if self._found or not self._lock.acquire(blocking=False):
            return self._found  # somebody else is looking
        try:
            self._look()
        except Exception:  # noqa: S110 - what cannot be listed now may be the next time
            pass
        finally:
            self._lock.release()
        return self._found

    def _look(self) -> None:
        begun = self._clock()
        if begun < self._rest_until:
            return
        context = RequestContext()
        names = {run.run_name for run in self._provider.list_runs(context, experiment_id="")}
        while True:
            some = sorted(names - self._seen, reverse=True)[:RUNS_AT_ONCE]
            if not some:
                # A run may get its first loss later.
                self._seen.clear()
                self._rest_until = self._clock() + AGAIN_SECONDS
                return
            self._seen.update(some)
            listed: Mapping[str, Mapping[str, Any]] = self._provider.list_scalars(
                context, experiment_id="", plugin_name="scalars",
                run_tag_filter=RunTagFilter(runs=some),
            )
            if any(holds_loss(tags) for tags in listed.values()):
                self._found = True
                return
            if self._clock() - begun > LOOK_SECONDS:
                return
