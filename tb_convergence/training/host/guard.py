"""A fault in the recorder ends the recording with one log line, but never the training."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

logger = logging.getLogger("tb_convergence")

MAX_REASON: Final = 500


class UnsupportedError(Exception):
    """A way to train that is not observed; the message completes "not supported: ..."."""


def weak_close(owner: Any, writer: Any) -> Callable[[], Any]:
    """Have `writer` closed when `owner` is gone, when the process ends, or when the result is
    called, whatever comes first."""
    return weakref.finalize(owner, _close, writer)


def _close(writer: Any) -> None:
    with suppress(Exception):
        writer.close()


class Guard:
    """Runs what may fail.

    Args:
        who: class name of what a person wrote into the training script, for the log line.

    Attributes:
        reason: None, or why recording stopped.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self.reason: str | None = None

    def __call__(self, action: Callable[[], Any]) -> Any:
        """`action()`; None, and recording disabled, if it raises or has raised before."""
        if self.reason is not None:
            return None
        try:
            return action()
        except UnsupportedError as error:
            self.disable(f"not supported: {error}")
        except Exception as error:
            self.disable(f"{type(error).__name__}: {error}")
        return None

    def say(self, text: str) -> None:
        """Write one log line that is not about a fault."""
        logger.warning("%s %s", self._who, text)

    def disable(self, reason: str) -> None:
        """Record no more; the first reason is logged and kept."""
        if self.reason is None:
            self.reason = reason
            logger.warning(
                "%s stops recording; the training continues unaffected: %s",
                self._who,
                " ".join(reason.split())[:MAX_REASON],
                exc_info=logger.isEnabledFor(logging.DEBUG),
            )
