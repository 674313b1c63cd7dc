"""Training cannot change any weight of the model.

Setting `trainable = False` on a model applies to every layer in it. A discriminator that is frozen
inside a GAN and then trained by itself trains without an error. So does a transfer model that is
frozen together with its new head. The loss is computed, but no weight changes.
"""

from __future__ import annotations

from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.phrases import counted, listed


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    model, table = configuration(history), history.table("variables")
    layers = [layer for layer in model.layers if layer.parameters]
    if not layers or not _all_frozen(model):
        return None
    if table is not None and len(table.steps):
        return None  # an optimizer was given variables: the description is of another model
    names = tuple(layer.name for layer in layers)
    total = sum(layer.parameters or 0 for layer in layers)
    return Match(
        "critical", 0.97,
        f"None of the model's {total:,} weights in {counted(len(names), 'layer')} "
        f"({listed(names)}) is trainable, so training changes nothing.",
        0, max(0, history.last_step), names,
        (Evidence("trainable_weights", 0.0, 0.0, side="exactly"),),
        (
            f"Set trainable = True on the layers that should learn ({names[-1]}, for instance), "
            "then call compile() again: Keras reads the flag when it compiles.",
        ),
        ruins=True,
    )


def _all_frozen(model: Configuration) -> bool:
    if model.trainable_parameters is not None:
        return model.trainable_parameters == 0
    flags = [layer.trainable for layer in model.layers if layer.parameters]
    return bool(flags) and all(flag is False for flag in flags)


RULE = Rule(
    id="nothing-trainable",
    kind="cause",
    title="No weight is trainable",
    needs=("config",),
    evaluate=_evaluate,
    measures=(
        Measure("trainable_weights", "trainable weights"),
    ),
    shows=("loss",),
    explains=("loss-not-decreasing", "underfitting", "constant-loss", "constant-output",
              "wrong-labels", "insufficient-capacity"),
    restates=("loss-not-decreasing", "underfitting", "constant-loss"),
    falsified_by=("A weight of the model differs between two checkpoints.",),
    false_alarms=("A model that is only evaluated needs no trainable weights.",),
    references=("Keras guide: Transfer learning & fine-tuning, the trainable attribute",),
)
