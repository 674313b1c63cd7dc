"""Records a custom training loop through one call around the update.

The call measures gradients before the update, and variables and updates around it. It works in
eager code, in a `tf.function` and in one that XLA compiles; the next call of the step writes the
record, outside the compiled code (see `host_callbacks`).
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
    checked_whole,
)
from tb_convergence.training.host.guard import UnsupportedError
from tb_convergence.training.host.live_options import OnFinding, checked_live, checked_rules
from tb_convergence.training.loops.loop_run import LoopRun
from tb_convergence.training.loops.watch import Shown

_unconverted = tf.autograph.experimental.do_not_convert


class ConvergenceRecorder:
    """Records a custom training loop for TensorBoard's Convergence tab.

    Args:
        log_dir: folder for the event file; TensorBoard shows the folder as one run. Several
            recorders can share a folder: their models are then parts of one run.
        variables: the trained variables, or their model (a Keras model or a `tf.Module`). With a
            model, findings name its layers.
        name: name of this model, if several recorders share the folder.
        steps: number of steps that the training will have, if known. The records then cover all of
            it, including the last step.
        first_step: number of the first step, for a training that is resumed. By default the
            optimizer's `iterations`, or 0.
        overhead, every_n_steps, gradient_histograms: as for
            `tb_convergence.keras.ConvergenceCallback`.
        live, on_finding, stop_on, rules: likewise, but a finding of `stop_on` only sets
            `should_stop`, which your loop checks.

    Raises:
        ValueError: `log_dir` is empty, or a number is out of range.
        TypeError: an argument is of the wrong type.

    On several replicas (`MirroredStrategy`, `MultiWorkerMirroredStrategy`), make the recorder in
    the strategy's scope, in every process, and pass each replica's own gradients and loss. The
    records hold the gradients summed over all replicas, which the optimizer uses, and the loss of
    each replica. Data and outputs of layers are those of the first replica. The chief writes the
    event file.

    Nothing else raises. If the recorder fails, or if it cannot record your program, it writes one
    log line and stops; every update is still made.

    The last record is written by `close`, at the end of a `with` block, when the recorder is no
    longer referenced, or when the process ends, whichever comes first.
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
            first_step=checked_whole(first_step, "first_step", least=0),
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
        """Whether a finding of `stop_on` has opened. Your loop checks this to stop."""
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
        """Apply the gradients with the optimizer, and record the step.

        Call it in place of `optimizer.apply_gradients(zip(gradients, variables))`.

        Args:
            optimizer: an object with `apply_gradients(pairs)` (Keras, TensorFlow) or
                `apply(gradients, variables)` (Sonnet), or a function of `(gradients, variables)`.
            gradients: one per variable, None for a missing one; or pairs (gradient, variable).
            variables: the variables of the gradients; by default the recorder's.
            loss: the scalar loss that the gradients belong to, before any loss scaling.
            learning_rate: the rate of this step, if the optimizer has no `learning_rate`.
            inputs, targets, outputs: tensors of the model, or structures of them, `[B, ..., F]`.
            activations: outputs of layers, `[B, ..., U]`, by the names that findings should use.

        Returns:
            What the optimizer returns. What it raises passes through.
        """
        update, arguments, observed = self._prepared(
            optimizer,
            gradients,
            variables,
            (loss, learning_rate, inputs, targets, outputs, activations),
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
        """Record the update that the block makes. The arguments are those of `apply`.

        For updates written by hand: `with recorder.step(gradients, loss=loss): ...`
        """
        shown = (loss, learning_rate, inputs, targets, outputs, activations)
        gradients, variables = self._pairs(gradients, variables)
        observed = self._before(None, gradients, variables, shown)
        yield
        self._after(observed)

    def epoch(self, **logs: Any) -> None:
        """Record the results of an epoch or a validation. Call it outside the step.

        Args:
            logs: numbers by name. The rules use `loss` and `val_loss`; the tab shows all of them.
        """
        self._run.epoch(logs)

    def flush(self) -> None:
        """Write the waiting record now, so that TensorBoard sees it. Call it outside the step."""
        self._run.flush()

    def close(self) -> None:
        """Write the waiting record and close the file. Later updates are made but not recorded."""
        self._end()

    def __enter__(self) -> ConvergenceRecorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- parts of a step; not to be converted by AutoGraph, they are ours -------------------

    @_unconverted  # type: ignore[untyped-decorator]
    def _prepared(
        self, optimizer: Any, gradients: Any, variables: Any, shown: tuple[Any, ...]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], Any]:
        """(what makes the update, its arguments, what `_after` needs)."""
        gradients, variables = self._pairs(gradients, variables)
        if len(gradients) != len(variables):
            raise ValueError(
                f"{len(gradients)} gradients for {len(variables)} variables; pass one gradient per "
                "variable (None for a missing one), or the variables of these gradients as well"
            )
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
        if gradients and all(_is_pair(item) for item in gradients):
            return [pair[0] for pair in gradients], [pair[1] for pair in gradients]
        return gradients, list(self._variables())

    @_unconverted  # type: ignore[untyped-decorator]
    def _before(
        self, optimizer: Any, gradients: list[Any], variables: list[Any], shown: tuple[Any, ...]
    ) -> Any:
        # A structure that cannot be read is no reason to leave other replicas waiting.
        found = self._run.guard(lambda: _shown(*shown)) or Shown(shown[0])
        return self._run.before(optimizer, gradients, variables, found)

    @_unconverted  # type: ignore[untyped-decorator]
    def _after(self, observed: Any) -> None:
        if observed is not None:
            self._run.after(observed)


def _is_pair(item: Any) -> bool:
    """Whether it is a gradient with its variable, as `apply_gradients` takes them."""
    return isinstance(item, (tuple, list)) and len(item) == 2 and hasattr(item[1], "assign")


def _shown(
    loss: Any, learning_rate: Any, inputs: Any, targets: Any, outputs: Any, activations: Any
) -> Shown:
    if activations is not None and not isinstance(activations, Mapping):
        raise UnsupportedError(
            f"activations of type {type(activations).__name__}; pass a dictionary from the name of "
            "a layer to its output"
        )
    features = {"input": inputs, "target": targets, "prediction": outputs}
    return Shown(loss, learning_rate, features, dict(activations or {}))
