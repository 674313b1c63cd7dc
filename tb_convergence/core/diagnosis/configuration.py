"""The static configuration of a run for the rules. It is untrusted, so read it only here.

A field that is missing or has the wrong type reads as unknown (None or ""). Reading never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import literal

NORMALIZING: Final = frozenset(
    {"Normalization", "BatchNormalization", "LayerNormalization", "Rescaling", "UnitNormalization",
     "GroupNormalization", "RMSNormalization"}
)
LOOKUP: Final = frozenset(
    {"Embedding", "StringLookup", "IntegerLookup", "Hashing", "CategoryEncoding", "Discretization",
     "TextVectorization", "HashedCrossing"}
)
PASSIVE: Final = frozenset(
    {"Dropout", "Flatten", "Reshape", "InputLayer", "SpatialDropout1D", "SpatialDropout2D",
     "SpatialDropout3D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
     "ActivityRegularization", "Permute", "AveragePooling1D", "AveragePooling2D",
     "AveragePooling3D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
     "GlobalAveragePooling3D", "ZeroPadding1D", "ZeroPadding2D", "UpSampling1D", "UpSampling2D"}
)
"""Layers that add no non-linearity between two others."""
MERGING: Final = frozenset({"Add", "Average", "Concatenate", "Maximum", "Multiply"})
"""Layers that join two paths; one of the paths may be a skip connection."""
SPARSE_LOSSES: Final = frozenset({"sparse_categorical_crossentropy"})
CROSS_ENTROPIES: Final = SPARSE_LOSSES | {"categorical_crossentropy", "binary_crossentropy"}
SQUARED_ERRORS: Final = frozenset({"mse", "mean_squared_error"})
ABSOLUTE_ERRORS: Final = frozenset({"mae", "mean_absolute_error"})
REGRESSION_LOSSES: Final = frozenset(
    {"mse", "mean_squared_error", "mae", "mean_absolute_error", "huber", "huber_loss", "log_cosh",
     "mean_squared_logarithmic_error", "msle"}
)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the model.

    Attributes:
        name, kind: its name and its class.
        activation: "" if it has none, "linear" if it is the identity.
        units: size of the last axis of its output; None if unknown.
        inputs: names of the layers that feed it; None if unknown.
        rate: dropout rate, else None.
        l1, l2: strength of the kernel's penalty, 0 without one.
        shape: output shape with None for the batch; None if unknown.
        parameters: number of weights; None if unknown, or none.
        entries: rows of an embedding; None for other layers.
        initializer, bias_initializer: classes of the kernel's and the bias's, "" if unknown.
        trainable: whether training may change its weights; None if unknown.
        trainable_parameters: number of weights that training may change; None if unknown.
        owner: attribute of the model that holds it, or the part it is in; "" if unknown.
        moving_statistics: of a trained batch normalization layer: "initial" as long as they are
            those of a new layer, else "moved"; "" if unknown.
        constraint: class of the constraint of its kernel; "" without.
        constraint_limit: largest norm of the weights of a unit that it allows; None without.
        momentum: of the moving averages of a normalization layer; None without.
    """

    name: str
    kind: str
    activation: str
    units: int | None
    inputs: tuple[str, ...] | None
    rate: float | None
    l1: float
    l2: float
    shape: tuple[int | None, ...] | None
    parameters: int | None = None
    entries: int | None = None
    initializer: str = ""
    bias_initializer: str = ""
    trainable: bool | None = None
    trainable_parameters: int | None = None
    owner: str = ""
    moving_statistics: str = ""
    constraint: str = ""
    constraint_limit: float | None = None
    momentum: float | None = None

    @property
    def penalty(self) -> float:
        """The larger strength of the two penalties."""
        return max(self.l1, self.l2)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The static configuration of the run, as far as it is known.

    Attributes:
        layers: in the order of the model.
        loss: name of the only loss, such as "mse"; "" if unknown or where there are several.
        from_logits: whether the loss applies the output's activation itself.
        optimizer: its class, "" if unknown.
        learning_rate: the constant rate; None for a schedule.
        epsilon: of an adaptive optimizer; None without.
        momentum: of the optimizer; None without.
        clipnorm, global_clipnorm, clipvalue: limits of gradient clipping; None without.
        weight_decay: decoupled from the loss: each step subtracts that part of the weights, times
            the rate; None without.
        loss_scaled: whether gradients are computed at a dynamic loss scale.
        batch_size: samples per batch.
        planned_steps: steps that fit() was asked for; None if unknown.
        frameworks: packages whose versions were recorded, such as "keras".
        losses: name of the loss of each output, by the output's name, where there are several.
        schedule: class of the learning rate's schedule; "" for a constant or unknown rate.
        optimizers: how many optimizers the train step calls; 0 where unknown.
        trainable_parameters: of the whole model; None if unknown.
        target_shape, prediction_shape: of the only target and the only output, None for an axis
            whose size varies; None if unknown.
        head: name of the layer of the only output that is looked at (see `output_heads`); "" if
            all are.
    """

    layers: tuple[Layer, ...] = ()
    loss: str = ""
    from_logits: bool = False
    optimizer: str = ""
    learning_rate: float | None = None
    epsilon: float | None = None
    momentum: float | None = None
    clipnorm: float | None = None
    global_clipnorm: float | None = None
    clipvalue: float | None = None
    weight_decay: float | None = None
    loss_scaled: bool = False
    batch_size: int | None = None
    planned_steps: int | None = None
    frameworks: tuple[str, ...] = ()
    losses: tuple[tuple[str, str], ...] = ()
    schedule: str = ""
    optimizers: int = 0
    trainable_parameters: int | None = None
    target_shape: tuple[int | None, ...] | None = None
    prediction_shape: tuple[int | None, ...] | None = None
    head: str = ""
    _by_name: dict[str, Layer] = field(default_factory=dict, init=False, repr=False, compare=False)
    _sources: dict[str, Layer | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def ends(self) -> tuple[Layer, ...]:
        """Layers whose output feeds no other layer: the outputs, and the last layers of separate
        parts.

        If connections are unknown, the last layer.
        """
        if any(layer.inputs is None for layer in self.layers):
            return self.layers[-1:]
        fed = {name for layer in self.layers for name in layer.inputs or ()}
        return tuple(layer for layer in self.layers if layer.name not in fed)

    @property
    def output(self) -> Layer | None:
        """The only layer whose output feeds no other one; None if there are several outputs."""
        if self.head:
            return self.layer(self.head)
        ends = self.ends
        return ends[0] if len(ends) == 1 else None

    @property
    def optimizer_text(self) -> str:
        """The optimizer as a user wrote it, such as "SGD(3)" or "SGD(0.1, momentum=0.9)"."""
        return self.with_rate(self.learning_rate)

    def with_rate(self, rate: float | None, digits: int = 6) -> str:
        """The same optimizer with another learning rate; only its class if `rate` is None."""
        if not self.optimizer or rate is None:
            return self.optimizer
        momentum = f", momentum={literal(self.momentum)}" if self.momentum else ""
        return f"{self.optimizer}({literal(rate, digits)}{momentum})"

    def loss_of(self, output: str, position: int = 0) -> str:
        """Name of the loss of one output, by its name or else by its position; "" if unknown."""
        if not self.losses:
            return self.loss
        named = dict(self.losses)
        if output in named:
            return named[output]
        listed = [name for key, name in self.losses if not key]
        return listed[position] if position < len(listed) else ""

    def layer(self, name: str) -> Layer | None:
        """The layer of that name."""
        if not self._by_name:
            for layer in self.layers:
                self._by_name.setdefault(layer.name, layer)
        return self._by_name.get(name)

    def before(self, layer: Layer) -> Layer | None:
        """The only layer that feeds `layer`."""
        if layer.inputs is None or len(layer.inputs) != 1:
            return None
        return self.layer(layer.inputs[0])

    def source(self, layer: Layer) -> Layer | None:
        """As `before`, but skipping layers that add no non-linearity."""
        # Look up each layer of a chain once, because a document may list thousands.
        passed: dict[str, None] = {}
        found: Layer | None = layer
        result: Layer | None = None
        while found is not None:
            if found.name in self._sources:
                result = self._sources[found.name]
                break
            if found.name in passed:  # the document describes a loop
                break
            passed[found.name] = None
            found = self.before(found)
            if found is None or found.kind not in PASSIVE:
                result = found
                break
        self._sources.update(dict.fromkeys(passed, result))
        return result

    def hidden(self, *kinds: str) -> list[Layer]:
        """Layers of these classes that feed another layer."""
        ends = {layer.name for layer in self.ends}
        return [
            layer for layer in self.layers if layer.kind in kinds and layer.name not in ends
        ]


@memoized
def configuration(history: RunHistory) -> Configuration:
    """The configuration of `history`; every field is unknown if none was recorded."""
    document = history.config
    model = _mapping(document.get("model"))
    optimizer = _mapping(document.get("optimizer"))
    loss = _mapping(document.get("loss"))
    layers = model.get("layers")
    return Configuration(
        layers=tuple(
            _layer(item) for item in (layers if isinstance(layers, list) else ())
            if isinstance(item, Mapping)
        ),
        loss=_text(loss.get("name")),
        from_logits=loss.get("from_logits") is True,
        optimizer=_text(optimizer.get("class")),
        learning_rate=_number(optimizer.get("learning_rate")),
        epsilon=_number(optimizer.get("epsilon")),
        momentum=_number(optimizer.get("momentum")),
        clipnorm=_number(optimizer.get("clipnorm")),
        global_clipnorm=_number(optimizer.get("global_clipnorm")),
        clipvalue=_number(optimizer.get("clipvalue")),
        weight_decay=_number(optimizer.get("weight_decay")),
        loss_scaled=bool(optimizer.get("loss_scale"))
        or optimizer.get("class") == "LossScaleOptimizer",
        batch_size=_size(document.get("batch_size")),
        planned_steps=_planned(document, optimizer),
        frameworks=tuple(map(_text, _mapping(document.get("framework")))),
        losses=_losses(document.get("loss")),
        schedule=_text(_mapping(optimizer.get("learning_rate")).get("class")),
        optimizers=len(_mapping(document.get("optimizers"))) or int(bool(optimizer)),
        trainable_parameters=_count(model.get("trainable_parameters")),
        target_shape=_shape(_mapping(document.get("data_shapes")).get("target")),
        prediction_shape=_shape(_mapping(document.get("data_shapes")).get("prediction")),
        head=_text(document.get("output")),
    )


def _losses(value: Any) -> tuple[tuple[str, str], ...]:
    """Losses of several outputs: a mapping by name, or a list in the order of the outputs."""
    if isinstance(value, list):
        return tuple(("", _text(_mapping(item).get("name"))) for item in value)
    found = _mapping(value)
    if "name" in found and not isinstance(found["name"], Mapping):
        return ()
    return tuple((_text(name), _text(_mapping(item).get("name"))) for name, item in found.items())


def _layer(item: Mapping[str, Any]) -> Layer:
    inputs, shape = item.get("inputs"), item.get("output_shape")
    sizes = _shape(shape)
    penalty = _mapping(_mapping(item.get("kernel_regularizer")).get("config"))
    constraint = _mapping(item.get("kernel_constraint"))
    return Layer(
        name=_text(item.get("name")),
        kind=_text(item.get("class")),
        activation=_text(item.get("activation")),
        units=sizes[-1] if sizes else _size(item.get("units")),
        inputs=tuple(map(_text, inputs)) if isinstance(inputs, list) else None,
        rate=_rate(item),
        l1=_number(penalty.get("l1")) or 0.0,
        l2=_number(penalty.get("l2")) or 0.0,
        shape=sizes,
        parameters=_size(item.get("parameters")),
        entries=_size(item.get("input_dim")),
        initializer=_text(_mapping(item.get("kernel_initializer")).get("class")),
        bias_initializer=_text(_mapping(item.get("bias_initializer")).get("class")),
        trainable=_flag(item.get("trainable")),
        trainable_parameters=_count(item.get("trainable_parameters")),
        owner=_text(item.get("owner")),
        moving_statistics=_text(item.get("moving_statistics")),
        constraint=_text(constraint.get("class")),
        momentum=_number(item.get("momentum")),
        constraint_limit=_number(_mapping(constraint.get("config")).get("max_value")),
    )


def _rate(item: Mapping[str, Any]) -> float | None:
    """Rate of a dropout layer, or the larger rate of a recurrent layer; None without dropout."""
    if "Dropout" in _text(item.get("class")):
        return _number(item.get("rate"))
    own = [_number(item.get(name)) or 0.0 for name in ("dropout", "recurrent_dropout")]
    recurrent = "recurrent_activation" in item or item.get("class") == "SimpleRNN"
    return max(own) if recurrent and max(own) > 0 else None


_INITIALIZERS: Final = {
    "kernel": "kernel_initializer",
    "bias": "bias_initializer",
    "recurrent_kernel": "recurrent_initializer",
    "embedding": "embeddings_initializer",
}
"""Kind of a variable -> field of its layer."""


def initializer_settings(history: RunHistory, layer: str, kind: str) -> Mapping[str, Any]:
    """Recorded settings of the initializer of one variable; empty if unknown."""
    layers = _mapping(history.config.get("model")).get("layers")
    for item in layers if isinstance(layers, list) else ():
        found = _mapping(item)
        if found.get("name") == layer:
            initializer = _mapping(found.get(_INITIALIZERS.get(kind, "")))
            return _mapping(initializer.get("config"))
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    """A whole number, or 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _planned(document: Mapping[str, Any], optimizer: Mapping[str, Any]) -> int | None:
    """Updates that fit() was asked for: of accumulated gradients, one for several batches."""
    batches = _product(document.get("epochs"), document.get("steps_per_epoch"))
    each = _size(optimizer.get("gradient_accumulation_steps")) or 1
    return None if batches is None else max(1, batches // each)


def _product(first: Any, second: Any) -> int | None:
    sizes = _size(first), _size(second)
    return None if sizes[0] is None or sizes[1] is None else sizes[0] * sizes[1]


def _shape(value: Any) -> tuple[int | None, ...] | None:
    return tuple(_size(size) for size in value) if isinstance(value, list) else None


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
