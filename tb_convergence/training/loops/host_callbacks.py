"""Calls Python from a training loop that is not ours, so that records can be written.

A record must be written outside the compiled step, but the only call that the user adds is inside
it. TensorFlow offers a solution. A function may have an argument whose value is found by calling
Python whenever the function is called (`capture_call_time_value`); ours has no use for the value,
only for being called. It works for compiled functions too, and functions that call the function
hand the argument on.

Where the step is part of a larger function (a loop over a data set inside a `tf.function`), a turn
per call is not enough, and the step itself calls Python when there is something to read. XLA cannot
do that: there the host's turn is only between calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.training.instep.reductions import Tensor
from tb_convergence.training.keras import compat

Turn = Callable[[], None]

_NOTHING: Final = tf.TensorSpec([], tf.float32)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a program the step is being built.

    Attributes:
        graph: of the function that is traced; None when executing eagerly.
        compiled: whether XLA compiles it.
        nested: whether other functions, loops or branches surround it.
    """

    graph: Any
    compiled: bool
    nested: bool

    def every_call(self, turn: Turn) -> bool:
        """Have `turn` called before every call of the function; whether that is possible."""
        capture = getattr(self.graph, "capture_call_time_value", None)
        if capture is None:
            return False
        nothing = _constant()

        def call() -> Tensor:
            turn()
            return nothing

        capture(call, _NOTHING, key=turn, default_value=nothing)
        return True


def here() -> Place:
    """The place at which we are called."""
    if tf.executing_eagerly():
        return Place(None, compiled=False, nested=False)
    graph: Any = tf.compat.v1.get_default_graph()
    compiled = compat.in_xla_context(graph)
    nested = False
    while type(graph).__name__ != "FuncGraph" and hasattr(graph, "outer_graph"):
        graph, nested = graph.outer_graph, True  # the body of a loop or a branch
    return Place(graph, compiled, nested or hasattr(graph.outer_graph, "outer_graph"))


def inside(due: Tensor, turn: Turn) -> None:
    """Have `turn` called from inside of the step when `due`, before anything that follows."""

    def call() -> np.int64:
        turn()
        return np.int64(0)

    def branch() -> Tensor:
        return tf.numpy_function(call, [], tf.int64, stateful=True)

    tf.cond(due, branch, lambda: tf.constant(0, tf.int64))


def _constant() -> Tensor:
    with tf.init_scope():
        return tf.constant(0.0)
