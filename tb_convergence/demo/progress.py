"""A progress bar of one line per run; plain lines where the output is not a terminal."""

from __future__ import annotations

import math
import time
from typing import Any, TextIO

import keras

WIDTH = 24


class Progress(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Keras callback: shows steps done, the loss and the time of one run."""

    def __init__(self, name: str, out: TextIO) -> None:
        super().__init__()
        self._name = name
        self._out = out
        self._live = out.isatty()
        self._start = time.monotonic()
        self._shown = -math.inf
        self._step = 0
        self._loss = math.nan

    def on_train_begin(self, logs: Any = None) -> None:
        """Show the run before its first step: tracing it takes a second."""
        self._draw()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count; redraw ten times a second."""
        self._step += 1
        self._loss = float((logs or {}).get("loss", math.nan))
        if time.monotonic() - self._shown > 0.1:
            self._draw()

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the finished line."""
        self._draw(done=True)

    def _draw(self, done: bool = False) -> None:
        if not self._live and not done:
            return
        self._shown = time.monotonic()
        total = int(self.params["epochs"]) * int(self.params["steps"])
        filled = WIDTH * self._step // total
        bar = "█" * filled + "·" * (WIDTH - filled)
        loss = f"loss {self._loss:8.3g}" if self._step else ""
        text = f"  {self._name:<24}{bar} {self._step:4d}/{total} steps  {loss}"
        if done:
            text += f"  {self._shown - self._start:4.1f} s"
        self._out.write(("\r\x1b[K" if self._live else "") + text + ("\n" if done else ""))
        self._out.flush()
