"""Pulls the batch of a step, and still hands it to Keras' own function.

Keras' function takes an iterator and pulls the batch itself. To see a batch, one is pulled, and
handed on inside another iterator of the same type, for which TensorFlow does not trace again. As a
rule that is one iterator for the whole training, which takes the batch from a queue of one place:
some 0.2 ms. Where that does not fit, an iterator is made for each batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.keras import compat

Tensor = Any
Batch = list[Tensor]
"""Flat tensors of one element of the data."""

ENDLESS: Final = 2**62


class HandBack:
    """Pulls batches from iterators of one type, and hands them back.

    Args:
        iterator: one of them, as Keras' train function gets it.
        single: whether Keras' function pulls exactly one batch in each call.

    Raises:
        Exception: this iterator cannot be taken apart.
    """

    def __init__(self, iterator: Any, single: bool) -> None:
        self.spec = iterator.element_spec
        self.dtypes, self.shapes = compat.flat_specs(iterator)
        self._single = single
        self._queue: Any = None
        self._from_queue: Any = None

    def fits(self, iterator: Any) -> bool:
        """Whether it is of the same type."""
        return bool(iterator.element_spec == self.spec)

    def pull(self, iterator: Any) -> Batch:
        """The next batch; raises what the iterator raises."""
        return compat.pull(iterator, self.dtypes, self.shapes)

    def element(self, batch: Batch) -> Any:
        """The batch as the train step gets it."""
        return compat.element_of(self.spec, batch)

    def give(self, batches: Sequence[Batch], iterator: Any) -> Any:
        """An iterator over `batches`, of the type of `iterator`."""
        if self._single and len(batches) == 1:
            with suppress(Exception):
                return self._queued(batches[0], iterator)
            self.discard()
            self._single = False
        return compat.iterator_over(batches, iterator)

    def discard(self) -> None:
        """Forget what may still lie in the queue: a call raised."""
        self._queue = self._from_queue = None

    def _queued(self, batch: Batch, iterator: Any) -> Any:
        with tf.device("CPU:0"):
            if self._queue is not None and int(self._queue.size()):
                self.discard()
            if self._queue is None:
                self._connect()
                if not compat.same_type(self._from_queue, iterator):
                    raise TypeError("an iterator of another type")
            self._queue.enqueue(batch)
        return self._from_queue

    def _connect(self) -> None:
        queue = tf.queue.FIFOQueue(1, self.dtypes)

        def taken(_: Tensor) -> Any:
            found = queue.dequeue()
            flat = list(found) if isinstance(found, (list, tuple)) else [found]
            for tensor, shape in zip(flat, self.shapes, strict=True):
                tensor.set_shape(shape)
            return self.element(flat)

        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.apply_default_optimizations = False
        endless = tf.data.Dataset.range(ENDLESS).map(taken).with_options(options)
        self._from_queue, self._queue = iter(endless), queue
