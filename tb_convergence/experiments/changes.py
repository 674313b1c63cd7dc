"""The catalogue of changes: what may be wrong with a training, each as one edit to try.

A change is data (what it does, which diagnoses it would prove) and one function that applies it to
a trial. Several can be applied together, one for each slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.core.text.numbers import number
from tb_convergence.experiments import edits, initial, optimizers
from tb_convergence.experiments.edits import Edits, NotApplicableError
from tb_convergence.experiments.sample import Sample
from tb_convergence.experiments.task import Task
from tb_convergence.training.keras import compat

PENALTY: Final = 1e-2
"""Factor of the L2 penalty that is tried against overfitting: Keras' default."""
DROPOUT: Final = 0.5
"""Rate that is tried against overfitting: Srivastava et al. 2014 (JMLR 15) use it for hidden units.
"""
STOPPING: Final = "keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)"
LOOKS: Final = 10
"""Times that early stopping looks at the held-out samples."""
ADAM_RATE: Final = 1e-3
SGD_RATE: Final = 1e-2
WARM_UP: Final = 0.1
LAST: Final = 0.25
"""Share of the steps that warm the rate up, and that SGD makes after Adam."""


@dataclass
class Setup:
    """A training about to be tried: changes edit it before it begins.

    Attributes:
        edits: of the model; undone when the trial is over.
        model, train, held_out, task: what is trained, on what, judged on what.
        optimizer: an optimizer that is not the user's own.
        shape: of the learning rate over the training, `(share done) -> factor`; None leaves it.
        start: functions `(model, seed)` that change the initial weights.
        then: optimizer of the last `LAST` of the steps, where it is another one.
        back: turns outputs into the units of the targets.
        same_loss: whether the loss can still be compared with the unchanged program's.
        shuffle: whether batches are shuffled.
        looks: how often the held-out samples are looked at, to end with the weights that were best
            on them; 0 for never.
    """

    edits: Edits
    model: Any
    train: Sample
    held_out: Sample
    task: Task | None
    optimizer: Any
    shape: Callable[[float], float] | None = None
    start: list[Callable[[Any, int], None]] = field(default_factory=list)
    then: Any = None
    back: Callable[[Any], Any] | None = None
    same_loss: bool = True
    shuffle: bool = True
    looks: int = 0


@dataclass(frozen=True)
class Change:
    """A change to a program.

    Attributes:
        id: name, such as "without-dropout".
        title: phrase for sentences, such as "without dropout or noise".
        apply: edits a `Setup`; raises `NotApplicableError` with the reason.
        slot: changes with the same slot exclude each other.
        addresses: ids of the diagnoses that an improvement confirms.
        control: whether the change should hurt. A control shows whether the experiment can detect
            anything.
        settings: the settings that a report or a diff needs.
    """

    id: str
    title: str
    apply: Callable[[Setup], None]
    slot: str
    addresses: tuple[str, ...] = ()
    control: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


# ---- regularization, clipping, normalization ------------------------------------------------


def _without_dropout(setup: Setup) -> None:
    if not edits.drop_noise(setup.edits, setup.model):
        raise NotApplicableError("the model has no dropout and no noise")


def _without_penalties(setup: Setup) -> None:
    count = edits.drop_penalties(setup.edits, setup.model)
    inner = optimizers.innermost(setup.optimizer)
    if getattr(inner, "weight_decay", None):
        setup.optimizer = optimizers.undecayed(setup.optimizer)
        count += 1
    if not count:
        raise NotApplicableError("the model has no L1 or L2 penalty and no weight decay")


def _with_penalty(setup: Setup) -> None:
    if not edits.add_penalties(setup.edits, setup.model, keras.regularizers.L2(PENALTY)):
        raise NotApplicableError("every kernel already has a penalty")


def _with_dropout(setup: Setup) -> None:
    added = edits.add_dropout(setup.edits, setup.model, DROPOUT)
    if not added:
        raise NotApplicableError("the model has dropout already, or no hidden dense layer")

    def reseeded(model: Any, seed: int) -> None:
        for place, layer in enumerate(added):
            layer.seed_generator.state.assign(np.array([seed, place], "uint32"))

    setup.start.append(reseeded)


def _early_stopping(setup: Setup) -> None:
    if setup.train is setup.held_out:
        raise NotApplicableError("there are no held-out samples to stop by")
    setup.looks = LOOKS


def _without_clipping(setup: Setup) -> None:
    if not optimizers.clips(setup.optimizer):
        raise NotApplicableError("gradients are not clipped")
    setup.optimizer = optimizers.unclipped(setup.optimizer)


def _without_batch_norm(setup: Setup) -> None:
    if not edits.drop_batch_norm(setup.edits, setup.model):
        raise NotApplicableError("the model has no batch normalization")


# ---- activations and initial weights --------------------------------------------------------


def _activation(name: str) -> Callable[[Setup], None]:
    def apply(setup: Setup) -> None:
        if not edits.set_hidden_activation(setup.edits, setup.model, name):
            raise NotApplicableError(
                f"no hidden layer has a replaceable activation other than {name}")

    return apply


def _initializer(name: str) -> Callable[[Setup], None]:
    def apply(setup: Setup) -> None:
        fresh = {id(w.layer) for group in initial.fresh_layers(setup.model) for w in group}
        kernels = [w for w in initial.weights_of(setup.model)
                   if id(w.layer) in fresh and len(w.variable.shape) > 1
                   and w.initializer is not None]
        if not kernels:
            raise NotApplicableError("no layer has fresh initial weights; all were loaded or "
                                     "trained")
        setup.start.append(lambda model, seed: _draw(model, name, seed, fresh))

    return apply


def _draw(model: Any, name: str, seed: int, fresh: set[int]) -> None:
    """Kernels from the initializer `name`, biases 0, in layers that are fresh."""
    drawn = keras.initializers.get(name)
    for place, weight in enumerate(initial.weights_of(model)):
        if id(weight.layer) not in fresh or weight.initializer is None:
            continue
        if len(weight.variable.shape) > 1:
            value = initial.drawn(drawn, weight.variable, seed * 1009 + place)
            if value is not None:
                weight.variable.assign(value)
        elif "bias" in str(weight.variable.name) and not isinstance(
                weight.layer, (keras.layers.LSTM, keras.layers.LSTMCell)):
            weight.variable.assign(np.zeros(weight.variable.shape, "float32"))


# ---- optimizer and rate ---------------------------------------------------------------------


def _optimizer(kind: type, rate: float, **settings: Any) -> Callable[[Setup], None]:
    def apply(setup: Setup) -> None:
        if type(optimizers.innermost(setup.optimizer)) is kind and np.isclose(
                optimizers.rate_of(setup.optimizer), rate, rtol=1e-3):
            raise NotApplicableError(
                f"the program already uses {kind.__name__} at {number(rate, 6)}"
            )
        setup.optimizer = optimizers.other(setup.optimizer, kind, rate, **settings)

    return apply


def _adam_then_sgd(setup: Setup) -> None:
    setup.then = optimizers.other(setup.optimizer, keras.optimizers.SGD, SGD_RATE, momentum=0.9)
    setup.optimizer = optimizers.other(setup.optimizer, keras.optimizers.Adam, ADAM_RATE)


def _shape(function: Callable[[float], float]) -> Callable[[Setup], None]:
    def apply(setup: Setup) -> None:
        if optimizers.has_schedule(setup.optimizer):
            setup.optimizer = optimizers.twin(
                setup.optimizer, learning_rate=optimizers.rate_of(setup.optimizer))
        setup.shape = function

    return apply


def _flat(setup: Setup) -> None:
    if not optimizers.has_schedule(setup.optimizer):
        raise NotApplicableError("the learning rate is already constant")
    _shape(lambda done: 1.0)(setup)


def learning_rate(rate: float) -> Change:
    """The program's own optimizer at another rate."""

    def apply(setup: Setup) -> None:
        setup.optimizer = optimizers.twin(setup.optimizer, learning_rate=float(rate))

    return Change(f"learning-rate={rate:.2g}", f"at a learning rate of {rate:.2g}", apply, "rate",
                  ("learning-rate-too-high", "learning-rate-too-low"),
                  settings={"learning_rate": float(f"{rate:.2g}")})


def optimizer(kind: type, rate: float, **settings: Any) -> Change:
    """Another optimizer at `rate`."""
    name = kind.__name__
    return Change(f"{name.lower()}={rate:.2g}", f"with {name} at {rate:.2g}",
                  _optimizer(kind, rate, **settings), "rate",
                  ("optimizer-mismatch", "learning-rate-too-high", "learning-rate-too-low"),
                  settings={"optimizer": name, "learning_rate": float(f"{rate:.2g}"), **settings})


# ---- data, outputs and loss -----------------------------------------------------------------


def _standardized_inputs(setup: Setup) -> None:
    if any(isinstance(layer, keras.layers.Embedding) for layer in edits.layers_of(setup.model)):
        raise NotApplicableError("the inputs are token ids for an embedding")
    scales = tf.nest.map_structure(scale_of, setup.train.x)
    if not any(scale is not None for scale in tf.nest.flatten(scales)):
        raise NotApplicableError("the inputs are not numeric")
    setup.train = setup.train.with_(x=scaled(setup.train.x, scales))
    setup.held_out = setup.held_out.with_(x=scaled(setup.held_out.x, scales))


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation by the last axis; 1 where a column is constant."""

    mean: Any
    std: Any


def scale_of(array: Any) -> Scale | None:
    """The scale of numbers; None of anything else."""
    if array.dtype.kind not in "fiu":
        return None
    axes = tuple(range(array.ndim - 1)) if array.ndim > 1 else (0,)
    values = np.where(np.isfinite(array), array, np.nan).astype(np.float64)
    with np.errstate(all="ignore"):
        mean, std = np.nanmean(values, axes), np.nanstd(values, axes)
    mean, std = np.nan_to_num(mean), np.nan_to_num(std)
    # A column that is constant but for rounding has no scale.
    return Scale(mean, np.where(std > 1e-6 * np.maximum(1.0, abs(mean)), std, 1.0))


def scaled(x: Any, scales: Any) -> Any:
    """Each array less its mean, over its standard deviation; float32."""
    return tf.nest.map_structure(
        lambda array, scale: array if scale is None else np.asarray(
            (array - scale.mean) / scale.std, np.float32), x, scales)


def _standardized_targets(setup: Setup) -> None:
    if setup.task is None or setup.task.kind != "values":
        raise NotApplicableError("the targets are not a single array of values")
    scale = scale_of(np.asarray(setup.train.y))
    assert scale is not None
    setup.train = setup.train.with_(y=scaled(setup.train.y, scale))
    setup.back = lambda outputs: outputs * scale.std + scale.mean
    setup.same_loss = False


def _averaged_loss(setup: Setup) -> None:
    loss = setup.model.loss
    if getattr(loss, "reduction", None) != "sum":
        raise NotApplicableError("the loss is already a mean, or a custom function")
    config = {**loss.get_config(), "reduction": "sum_over_batch_size"}
    compiled_with(setup, type(loss).from_config(config))


def compiled_with(setup: Setup, loss: Any) -> None:
    """Compile the setup's model with another loss, until its edits are undone."""
    model = setup.model
    for name in compat.COMPILED_LOSS:
        setup.edits.put(model, name, getattr(model, name))
    model.compile(setup.optimizer, loss, run_eagerly=model.run_eagerly, auto_scale_loss=False)
    setup.same_loss = False


SUITABLE: Final[Mapping[str, tuple[str, str]]] = {
    "classes": ("softmax", "categorical_crossentropy"),
    "binary": ("sigmoid", "binary_crossentropy"),
    "labels": ("sigmoid", "binary_crossentropy"),
    "values": ("linear", "mean_squared_error"),
}
"""Task -> output activation and loss: the likelihood of that kind of target."""


def suitable_output(task: Task | None) -> tuple[str, str]:
    """Output activation and loss that suit the task.

    Raises:
        NotApplicableError: the task is not known.
    """
    if task is None:
        raise NotApplicableError("the task cannot be inferred from the targets and outputs")
    activation, loss = SUITABLE[task.kind]
    return activation, f"sparse_{loss}" if task.kind == "classes" and task.sparse else loss


def _suitable_output(setup: Setup) -> None:
    activation, loss = suitable_output(setup.task)
    found = edits.output_layers(setup.model)
    now = activation_name = edits.activation_name(found[0]) if len(found) == 1 else ""
    named = str(getattr(setup.model.loss, "name", setup.model.loss))
    if now == activation and loss in (named, {"mse": "mean_squared_error"}.get(named, "")):
        raise NotApplicableError(f"output {activation_name} and loss {named} already fit the "
                                 "targets")
    edits.set_output_activation(setup.edits, setup.model, activation)
    compiled_with(setup, loss)
    assert setup.task is not None
    setup.task = replace(setup.task, cut=0.5)


def _shuffled_labels(setup: Setup) -> None:
    if setup.train.y is None:
        raise NotApplicableError("there are no targets")
    rows = np.random.default_rng(0).permutation(len(setup.train))
    setup.train = setup.train.with_(
        y=tf.nest.map_structure(lambda array: array[rows], setup.train.y))


def _shuffled_batches(setup: Setup) -> None:
    if setup.shuffle:
        raise NotApplicableError("batches are already shuffled")
    setup.shuffle = True


CHANGES: Final[tuple[Change, ...]] = (
    Change("without-dropout", "without dropout or noise", _without_dropout, "noise",
           ("over-regularization", "underfitting")),
    Change("without-penalties", "without L1, L2, or weight decay", _without_penalties, "penalty",
           ("over-regularization", "underfitting")),
    Change("with-penalty", f"with an L2 penalty of {number(PENALTY, 6)} on the kernels",
           _with_penalty, "penalty", ("overfitting",)),
    Change("with-dropout", f"with dropout of {number(DROPOUT)} after the hidden dense layers",
           _with_dropout, "noise", ("overfitting",)),
    Change("early-stopping", "with early stopping", _early_stopping, "length", ("overfitting",)),
    Change("without-clipping", "without gradient clipping", _without_clipping, "clipping",
           ("clipping-hides-learning-rate",)),
    Change("without-batch-norm", "without batch normalization", _without_batch_norm, "norm",
           ("batch-norm-masks-gradients",)),
    Change("relu", "with ReLU in the hidden layers", _activation("relu"), "activation",
           ("wrong-hidden-activation", "vanishing-gradient", "saturated-activation")),
    Change("leaky-relu", "with leaky ReLU in the hidden layers", _activation("leaky_relu"),
           "activation", ("dead-relu", "wrong-hidden-activation")),
    Change("elu", "with ELU in the hidden layers", _activation("elu"), "activation",
           ("dead-relu", "wrong-hidden-activation")),
    Change("he-normal", "with he_normal kernels and zero biases", _initializer("he_normal"),
           "initial", ("poor-initialization", "dead-relu")),
    Change("lecun-normal", "with lecun_normal kernels and zero biases",
           _initializer("lecun_normal"), "initial", ("poor-initialization",)),
    Change("glorot-uniform", "with glorot_uniform kernels and zero biases",
           _initializer("glorot_uniform"), "initial", ("poor-initialization", "dead-relu")),
    Change("adam", f"with Adam at {number(ADAM_RATE, 6)}",
           _optimizer(keras.optimizers.Adam, ADAM_RATE), "rate",
           ("optimizer-mismatch", "learning-rate-too-high", "learning-rate-too-low"),
           settings={"optimizer": "Adam", "learning_rate": ADAM_RATE}),
    Change("sgd", f"with SGD at {number(SGD_RATE, 6)}, momentum 0.9",
           _optimizer(keras.optimizers.SGD, SGD_RATE, momentum=0.9), "rate",
           ("optimizer-mismatch",),
           settings={"optimizer": "SGD", "learning_rate": SGD_RATE, "momentum": 0.9}),
    Change("adam-then-sgd", "with Adam, then SGD for the last 25% of the steps", _adam_then_sgd,
           "rate"),
    Change("flat-rate", "at a constant learning rate", _flat, "schedule"),
    Change("warm-up", "with a learning-rate warm-up over the first 10% of the steps",
           _shape(lambda done: min(1.0, (done + 1e-3) / WARM_UP)), "schedule"),
    Change("cosine", "with a cosine schedule that ends at 0",
           _shape(lambda done: 0.5 * (1 + float(np.cos(np.pi * done)))), "schedule"),
    Change("standardised-inputs", "with standardized inputs", _standardized_inputs, "inputs",
           ("unnormalized-input",)),
    Change("standardised-targets", "with standardized targets", _standardized_targets, "targets",
           ("unscaled-target",)),
    Change("averaged-loss", "with the loss averaged over the batch", _averaged_loss, "loss",
           ("learning-rate-too-high", "wrong-loss")),
    Change("suitable-output", "with the output and loss that fit the targets", _suitable_output,
           "loss", ("wrong-output-activation", "wrong-loss")),
    Change("shuffled-batches", "with shuffled batches", _shuffled_batches, "order",
           ("unshuffled-batches",)),
    Change("shuffled-labels", "with shuffled labels (control)", _shuffled_labels, "labels",
           ("wrong-labels",), control=True),
)
BY_ID: Final[Mapping[str, Change]] = {change.id: change for change in CHANGES}
