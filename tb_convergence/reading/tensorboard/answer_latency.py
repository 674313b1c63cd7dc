"""Answers of TensorBoard's data server without the 40 ms that each would wait.

The server sends a small answer in two packets, and holds the second back until the first is
acknowledged (Nagle's algorithm), which the operating system does some 40 ms later, in the hope of
something to send along. So while an answer is out, a question that costs next to nothing is sent
after it: it carries the acknowledgement. Nobody waits for what it answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from tensorboard.context import RequestContext

from tb_convergence.reading.tensorboard.compat import is_data_server

AFTER_SECONDS: Final = 0.003
"""How long an answer may take before a question is sent after it, and between two such."""
UNTIL_SECONDS: Final = 0.04
"""From when on an answer is late for another reason: it is long, or the server has much to do."""
AT_ONCE: Final = 8
"""Questions that may be out; where the server does not get round to them, more do not help."""


def answering_at_once(provider: Any) -> Any:
    """`provider`; where it is TensorBoard's data server, one that answers at once."""
    return _Answering(provider) if is_data_server(provider) else provider


class _Answering:
    """The methods of a data provider, each call of which is followed by questions until answered.

    Its threads, nine at most, sleep while no call is out. They end when nobody holds it any more:
    in TensorBoard with the program, on the command line with the loader of a batch.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._lock = threading.Lock()
        self._begun: dict[object, float] = {}
        self._last = 0.0
        self._followed = False
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._pool = ThreadPoolExecutor(AT_ONCE + 1, thread_name_prefix="answer")

    @property
    def answered(self) -> Any:
        """The provider that is asked."""
        return self._provider

    def __str__(self) -> str:
        return str(self._provider)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        return self._answered(found) if callable(found) else found

    def _answered(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            mark = object()
            with self._lock:
                self._begun[mark] = self._last = time.monotonic()
                follow, self._followed = not self._followed, True
            try:
                if follow:
                    with suppress(RuntimeError):  # the program is about to end
                        self._pool.submit(self._follow)
                return method(*given, **named)
            finally:
                with self._lock:
                    del self._begun[mark]

        return call

    def _follow(self) -> None:
        """Send questions as long as a call is out that they can help; then end."""
        while True:
            time.sleep(AFTER_SECONDS)
            with self._lock:
                now = time.monotonic()
                if not any(now - begun < UNTIL_SECONDS for begun in self._begun.values()):
                    self._followed = False
                    return
                followed = now - self._last < AFTER_SECONDS  # by a call, which does as well
            if not followed and self._room.acquire(blocking=False):
                with suppress(RuntimeError):
                    self._pool.submit(self._ask)

    def _ask(self) -> None:
        with suppress(Exception):
            self._provider.experiment_metadata(RequestContext(), experiment_id="")
        self._room.release()
