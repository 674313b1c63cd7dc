"""Recording a training loop of one's own: one call around the update.

The call measures gradients before the update, and variables and updates around it. It works in
eager code, in a `tf.function` and in one that XLA compiles; what it measured is written outside of
the step, when the step is called the next time (see `turns`).
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tb_convergence.training.host.arguments import (
    checked_interval,
    checked_log_dir,
    checked_overhead,
)
from tb_convergence.training.host.live_options import OnFinding, checked_live, checked_rules
from tb_convergence.training.loops.loop_run import LoopRun
from tb_convergence.training.loops.watch import Shown

_unconverted = tf.autograph.experimental.do_not_convert


class ConvergenceRecorder:
    """Records a custom training loop for TensorBoard's Convergence tab.

    Args:
        log_dir: where the event file goes; TensorBoard shows the folder as one run. Several
            recorders may share a folder: their models are then parts of one run.
        variables: the variables that are trained; or the model they belong to (a Keras model, a
            `tf.Module`), whose layers' names then appear in findings.
        name: of this model, where several share the folder.
        steps: how many steps the training will have, where that is known. Records are then spread
            over all of it, and the last step is among them.
        first_step: number of the first step, of a training that is resumed. By default what the
            optimizer's `iterations` says, or 0.
        overhead, every_n_steps, gradient_histograms: as for
            `tb_convergence.keras.ConvergenceCallback`.
        live, on_finding, stop_on, rules: likewise; what asks the loop to stop is `should_stop`.

    Raises:
        ValueError: `log_dir` is empty, a number is out of range.
        TypeError: an argument is of the wrong type.

    On several replicas (`MirroredStrategy`, `MultiWorkerMirroredStrategy`) make the recorder in the
    strategy's scope, in every process, and pass what each replica has. The records hold the sums
    over all replicas, which the optimizer uses, and the loss of each replica. Data and outputs of
    layers are those of the first replica. The chief writes the event file.

    Nothing else raises: a fault of ours, or a use that cannot be recorded, ends the recording with
    one log line, and every update is made all the same.

    The last record is written by `close`, at the end of a `with` block, when the recorder is no
    longer referenced, or when the process ends, whichever is first.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        variables: Any,
        *,
        name: str = "",
        steps: int | None = None,
        first_step: int | None = None,
        overhead: float = 0.01,
        every_n_steps: int | None = None,
        gradient_histograms: bool = False,
        live: bool = False,
        on_finding: OnFinding | None = None,
        stop_on: Collection[str] = (),
        rules: Collection[str | os.PathLike[str]] = (),
    ) -> None:
        holder = hasattr(variables, "trainable_variables")
        if not holder and not isinstance(variables, (list, tuple)):
            raise TypeError(
                f"variables is {type(variables).__name__}; "
                "expected a list of variables, or a model that has trainable_variables"
            )
        if first_step is not None and (isinstance(first_step, bool) or int(first_step) < 0):
            raise ValueError(f"first_step is {first_step!r}; expected a whole number >= 0")
        self._variables: Callable[[], Sequence[Any]] = (
            (lambda: variables.trainable_variables) if holder else (lambda: variables)
        )
        self._run = LoopRun(
            type(self).__name__,
            checked_log_dir(log_dir),
            variables if holder else None,
            self._variables,
            name=str(name),
            steps=checked_interval(steps, "steps"),
            first_step=None if first_step is None else int(first_step),
            overhead=checked_overhead(overhead),
            every_n_steps=checked_interval(every_n_steps),
            gradient_histograms=bool(gradient_histograms),
            live=bool(live),
            rules=checked_rules(rules),
            on_finding=on_finding,
            stop_on=checked_live(on_finding, stop_on),
        )
        self._end = weakref.finalize(self, self._run.close)

    @property
    def disabled_reason(self) -> str | None:
        """None, or why recording stopped; the training went on without it."""
        return self._run.guard.reason

    @property
    def should_stop(self) -> bool:
        """Whether a finding of `stop_on` has appeared. A loop that asks for it looks here."""
        return self._run.should_stop

    def apply(
        self,
        optimizer: Any,
        gradients: Any,
        variables: Sequence[Any] | None = None,
        *,
        loss: Any = None,
        learning_rate: Any = None,
        inputs: Any = None,
        targets: Any = None,
        outputs: Any = None,
        activations: Mapping[str, Any] | None = None,
    ) -> Any:
        """Apply gradients as the optimizer would, and record the step. To be called where
        `optimizer.apply_gradients(zip(gradients, variables))` would be.

        Args:
            optimizer: has `apply_gradients(pairs)` (Keras, TensorFlow) or
                `apply(gradients, variables)` (Sonnet); or is a function `(gradients, variables)`.
            gradients: one per variable, None for a missing one; or pairs (gradient, variable).
            variables: those of the gradients; by default the recorder's.
            loss: the loss whose gradients they are, a scalar, before any loss scaling.
            learning_rate: of this step, where the optimizer has no `learning_rate`.
            inputs, targets, outputs: of the model, tensors or structures of them, `[B, ..., F]`.
            activations: outputs of layers by name, `[B, ..., U]`; names as findings should use.

        Returns:
            What the optimizer returns. What it raises passes through.
        """
        update, arguments, observed = self._prepared(
            optimizer,
            gradients,
            variables,
            _shown(loss, learning_rate, inputs, targets, outputs, activations),
        )
        # Called from here, so that AutoGraph treats the optimizer as it would without us.
        result = update(*arguments)
        self._after(observed)
        return result

    @contextmanager
    def step(
        self,
        gradients: Any,
        variables: Sequence[Any] | None = None,
        *,
        loss: Any = None,
        learning_rate: Any = None,
        inputs: Any = None,
        targets: Any = None,
        outputs: Any = None,
        activations: Mapping[str, Any] | None = None,
    ) -> Iterator[None]:
        """Record the update that is made inside the block. Arguments as for `apply`.

        For updates written by hand: `with recorder.step(gradients, loss=loss): ...`
        """
        shown = _shown(loss, learning_rate, inputs, targets, outputs, activations)
        gradients, variables = self._pairs(gradients, variables)
        observed = self._before(None, gradients, variables, shown)
        yield
        self._after(observed)

    def epoch(self, **logs: Any) -> None:
        """Record what an epoch, or a validation, ended with. To be called outside of the step.

        Args:
            logs: numbers by name; `loss` and `val_loss` are known to the rules, others are shown.
        """
        self._run.epoch(logs)

    def flush(self) -> None:
        """Write what waits, so that TensorBoard sees it. To be called outside of the step."""
        self._run.flush()

    def close(self) -> None:
        """Write what waits and close the event file. Updates are made, but no longer recorded."""
        self._end()

    def __enter__(self) -> ConvergenceRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- parts of a step; not to be converted by AutoGraph, they are ours -------------------

    @_unconverted  # type: ignore[untyped-decorator]
    def _prepared(
        self, optimizer: Any, gradients: Any, variables: Any, shown: Shown
    ) -> tuple[Callable[..., Any], tuple[Any, ...], Any]:
        """(what makes the update, its arguments, what `_after` needs)."""
        gradients, variables = self._pairs(gradients, variables)
        observed = self._before(optimizer, gradients, variables, shown)
        if hasattr(optimizer, "apply_gradients"):
            pairs = list(zip(gradients, variables, strict=True))
            return optimizer.apply_gradients, (pairs,), observed
        update = optimizer.apply if hasattr(optimizer, "apply") else optimizer
        return update, (gradients, variables), observed

    @_unconverted  # type: ignore[untyped-decorator]
    def _pairs(self, gradients: Any, variables: Any) -> tuple[list[Any], list[Any]]:
        gradients = list(gradients)
        if variables is not None:
            return gradients, list(variables)
        if gradients and all(isinstance(item, tuple) and len(item) == 2 for item in gradients):
            return [pair[0] for pair in gradients], [pair[1] for pair in gradients]
        return gradients, list(self._variables())

    @_unconverted  # type: ignore[untyped-decorator]
    def _before(
        self, optimizer: Any, gradients: list[Any], variables: list[Any], shown: Shown
    ) -> Any:
        return self._run.before(optimizer, gradients, variables, shown)

    @_unconverted  # type: ignore[untyped-decorator]
    def _after(self, observed: Any) -> None:
        if observed is not None:
            self._run.after(observed)


def _shown(
    loss: Any, learning_rate: Any, inputs: Any, targets: Any, outputs: Any,
    activations: Mapping[str, Any] | None,
) -> Shown:
    features = {"input": inputs, "target": targets, "prediction": outputs}
    return Shown(loss, learning_rate, features, dict(activations or {}))
