"""`keep_last_finite=True`: the state of the last finite record, for when the loss breaks.

The state is kept in memory, at the beginning of each recorded step whose loss and gradients turn
out to be finite. When the loss is no longer, it goes into a folder beside the event file, in a file
that Keras alone can load, with the batch that holds NaN once it is found. Training goes on from
there by `model.load_weights`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.training.keras import compat
from tb_convergence.training.keras.handback import Batch
from tb_convergence.training.keras.rolled_back import Variables, handle_of, state_of

FOLDER: Final = "last_finite"
WEIGHTS: Final = "model.weights.h5"
BATCH: Final = "batch.npz"
STATE: Final = "state.json"

MOST_BYTES: Final = 2**31
"""A larger state is not kept: memory and disk are the training's."""

MOST_BATCH_BYTES: Final = 2**28


class LastFinite:
    """Keeps and writes the state of one model's training. Its methods may raise.

    Args:
        log_dir: of the run; the folder is made in it.
        say: writes a line to the log.

    Attributes:
        facts: what was written and where; None as long as nothing is.
    """

    def __init__(self, log_dir: str, say: Callable[[str], None]) -> None:
        self.facts: dict[str, Any] | None = None
        self._folder = os.path.join(log_dir, FOLDER)
        self._say = say
        self._model: Any = None
        self._variables: Variables | None = None
        self._candidate: list[Any] | None = None
        self._kept: tuple[int, list[Any]] | None = None

    def begin(self, model: Any) -> None:
        """A call of `fit` begins: variables may have been added."""
        if model is not self._model:
            self._kept = None
        self._model, self._variables, self._candidate = model, None, None

    def look(self, optimizers: Sequence[Any]) -> None:
        """Before a step that is recorded: read everything."""
        if self.facts is not None or not all(optimizer.built for optimizer in optimizers):
            return
        if self._variables is None:
            handles = [handle_of(v) for v in state_of(self._model, optimizers)]
            self._variables = Variables([handle for handle in handles if handle is not None])
        values = self._variables.read()
        size = sum(int(np.prod(value.shape)) * value.dtype.size for value in values)
        if size > MOST_BYTES:
            self._say(
                f"does not keep the last finite state of {self._model.name}: it has "
                f"{size / 2**30:.1f} GiB, and the limit is {MOST_BYTES / 2**30:.0f} GiB"
            )
            self.facts = {}
            return
        self._candidate = values

    def judge(self, step: int, finite: bool) -> None:
        """After it: `step` was recorded, and its loss and gradients are finite or not."""
        if finite and self._candidate is not None:
            self._kept = (step, self._candidate)
        self._candidate = None

    def write(self, seen: int) -> None:
        """By step `seen` the loss is not finite: write the kept state, once."""
        if self.facts is not None or self._kept is None or self._variables is None:
            return
        step, values = self._kept
        self._kept = None
        os.makedirs(self._folder, exist_ok=True)
        path = os.path.join(self._folder, WEIGHTS)
        now = self._variables.read()
        try:
            self._variables.write(values)
            with compat.random_state_kept():
                self._model.save_weights(path, overwrite=True)
        finally:
            self._variables.write(now)
        self.facts = {"step": step, "seen_at_step": seen, "folder": FOLDER, "file": WEIGHTS}
        self._describe()
        self._say(
            f"saved the state at the beginning of step {step:,}, the last recorded step with a "
            f"finite loss, to {path}. To continue from it, call model.load_weights(path)"
        )

    def write_batch(self, batch: Batch, step: int) -> None:
        """The batch of `step` holds NaN or Inf: write it beside the state."""
        size = sum(int(tf.size(tensor)) * tensor.dtype.size for tensor in batch)
        if not self.facts or size > MOST_BATCH_BYTES:
            return
        arrays = {}
        for index, tensor in enumerate(batch):
            with suppress(Exception):  # ragged, sparse: no array
                arrays[f"tensor_{index}"] = tensor.numpy()
        np.savez(os.path.join(self._folder, BATCH), **arrays)
        self.facts.update(batch=BATCH, batch_step=step)
        self._describe()

    def _describe(self) -> None:
        with open(os.path.join(self._folder, STATE), "w", encoding="utf-8") as file:
            json.dump(self.facts, file, indent=2)
