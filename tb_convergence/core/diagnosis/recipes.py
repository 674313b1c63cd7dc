"""Two lines of code that record what a run lacks, for the framework that seems to have written it.

A run by another writer is recognized by its contents: Keras' callback counts epochs and batches,
PyTorch puts dots into names, TensorFlow slashes. If nothing identifies the framework, all ways are
offered, the most common first. docs/recording.md has a complete program for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tb_convergence.core.history import RunHistory
from tb_convergence.core.scalar_tags import Framework


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to record.

    Attributes:
        title: with what one trains, such as "Keras fit".
        lines: two lines of code.
    """

    title: str
    lines: tuple[str, str]


KERAS: Final = Recipe("Keras fit", (
    "from tb_convergence.keras import ConvergenceCallback",
    'model.fit(x, y, validation_data=(x_val, y_val), callbacks=[ConvergenceCallback("logs/run1")])',
))
LOOP: Final = Recipe("a training loop of your own", (
    'recorder = tb_convergence.ConvergenceRecorder("logs/run1", model)',
    "recorder.apply(optimizer, gradients, loss=loss)  # in place of optimizer.apply_gradients",
))
GRAPH: Final = Recipe("graph mode (TensorFlow 1)", (
    "from tb_convergence import v1",
    "v1.health_summary(optimizer.compute_gradients(loss), loss=loss)  # before merge_all()",
))
TORCH: Final = Recipe("PyTorch", (
    "named = dict(model.named_parameters())  # after loss.backward()",
    'tb_convergence.log_health("logs/run1", step, loss=loss.item(), '
    "gradients={n: p.grad for n, p in named.items()}, "
    "variables={n: p.data for n, p in named.items()})",
))


def _parameters(model: str) -> str:
    """Gradients and variables of a PyTorch module, as arguments of `log_health`."""
    named = f"in {model}.named_parameters()"
    return (
        f"gradients={{n: p.grad.cpu() for n, p {named} if p.grad is not None}}, "
        f"variables={{n: p.detach().cpu() for n, p {named}}})"
    )


LIGHTNING: Final = Recipe("Lightning", (
    "# a method of your LightningModule",
    "def on_before_optimizer_step(self, optimizer): "
    f"tb_convergence.log_health(self.logger.log_dir, self.global_step, {_parameters('self')}",
))
HUGGING_FACE: Final = Recipe("Hugging Face Trainer", (
    "class Health(transformers.TrainerCallback):  # Trainer(..., callbacks=[Health()])",
    "    def on_pre_optimizer_step(self, args, state, control, model=None, **_): "
    f"tb_convergence.log_health(args.logging_dir, state.global_step, {_parameters('model')}",
))
YOLO: Final = Recipe("Ultralytics YOLO", (
    "steps = itertools.count()",
    'model.add_callback("on_train_start", lambda t: t.optimizer.register_step_pre_hook(lambda *_: '
    f"tb_convergence.log_health(t.save_dir, next(steps), {_parameters('t.model')}))",
))
STABLE_BASELINES: Final = Recipe("Stable-Baselines3", (
    "steps, policy = itertools.count(), model.policy",
    "policy.optimizer.register_step_pre_hook(lambda *_: "
    f'tb_convergence.log_health("logs/run1", next(steps), {_parameters("policy")})',
))

ANYTHING: Final = Recipe("anything else", (
    "import tb_convergence",
    'tb_convergence.log_health("logs/run1", step, loss=loss, gradients=gradients, '
    "variables=variables, updates=updates, activations=activations, inputs=x, targets=y, "
    "outputs=predictions)",
))


_BY_FRAMEWORK: Final[Mapping[Framework, Recipe]] = {
    "keras": KERAS, "lightning": LIGHTNING, "huggingface": HUGGING_FACE, "yolo": YOLO,
    "stable-baselines3": STABLE_BASELINES, "tf1": GRAPH,
}


def recipes(history: RunHistory, lacking: Sequence[str]) -> tuple[Recipe, ...]:
    """Code to add to the training program, the best guess first; () if nothing would help.

    Args:
        history: the run.
        lacking: statistics that rules need and the run does not have, by name.
    """
    if not lacking:
        return ()
    if any(table.source == "recorder" for table in history.tables.values()):
        return _beside_recorder(history, lacking)
    known = _BY_FRAMEWORK.get(history.framework)
    if known is not None:
        return (known,)
    # Only Keras' weights are read as epochs. Any framework may write scalars per epoch.
    if {table.axis for table in history.tables.values()} & {"epoch", "batch"}:
        return (KERAS,)
    names = [row.name for table in history.tables.values() for row in table.rows]
    families = [one for one in history.tag_families if one.why != "unknown"]
    names += [name for family in families or history.tag_families for name in family.examples]
    dots = sum("." in name for name in names)
    if names:
        return (TORCH,) if 2 * dots > len(names) else (LOOP, GRAPH)
    return KERAS, LOOP, TORCH, ANYTHING


def _beside_recorder(history: RunHistory, lacking: Sequence[str]) -> tuple[Recipe, ...]:
    """For runs of the recorder: only inputs that it was not given are missing."""
    if history.config.get("writer") == "log_health":
        return (ANYTHING,)
    return (KERAS,) if "validation_loss" in lacking else ()
