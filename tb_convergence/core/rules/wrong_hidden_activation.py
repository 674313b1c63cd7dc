"""Hidden activations block the gradient, or the hidden layers have none.

The rule recognizes a deep stack of sigmoid or tanh layers whose gradients vanish, a stack of dense
layers without any non-linearity (one linear map, however deep), a softmax inside the network, and
ReLU inside a recurrent cell. It mentions single sigmoid or linear layers only if the run learns
little.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import MERGING, Configuration, configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.table_columns import median_over_time
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.measures import Measure

SQUASHING: Final = frozenset({"sigmoid", "tanh", "hard_sigmoid", "softsign", "softmax"})
HIDDEN: Final = ("Dense", "Conv1D", "Conv2D", "Conv3D")
LINEAR: Final = frozenset(
    {"Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D",
     "SeparableConv2D", "Conv1DTranspose", "Conv2DTranspose"}
)
"""Layers that are linear apart from their activation."""
RECURRENT: Final = frozenset({"LSTM", "GRU", "SimpleRNN", "Bidirectional"})
UNBOUNDED: Final = frozenset({"relu", "elu", "selu", "leaky_relu", "linear", "gelu", "softplus"})
SLOW: Final = frozenset({"sigmoid", "hard_sigmoid"})
IN_CELLS: Final = "ablation: with tanh, the default, as the activation of the recurrent cell"
"""The deciding experiment for a recurrent cell, where ReLU is no remedy."""
USELESS: Final = 0.9
SHRUNK: Final = 0.3
DEEP_SIGMOIDS: Final = 5
AT_LEAST_LAYERS: Final = 3
FEW_UNITS: Final = 4


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return strongest(
        _squashing_stack(history, signs),
        _linear(history),
        _softmax(history),
        _unbounded_cell(history, signs),
        _squashed_cell(history),
        _suspicious(history),
    )


def _squashing_stack(history: RunHistory, signs: Signs) -> Match | None:
    table = history.table("variables")
    sign = signs.get("vanishing-gradient") or _saturated(history, signs)
    useless = signs.get("loss-not-decreasing") or signs.get("underfitting")
    if useless is not None and useless.severity == "info":
        useless = None
    if table is None or (sign is None and useless is None):
        return None
    kernels = table.rows_of("kernel")[:-1]
    rows = [row for row in kernels if table.rows[row].activation in SQUASHING]
    if len(rows) < AT_LEAST_LAYERS or len(rows) < len(kernels) / 2:
        return None
    activation = table.rows[rows[0]].activation
    if {layer.kind for layer in configuration(history).layers} & MERGING:
        return None  # skip connections pass the gradient around the activations
    if sign is None:
        # Only the depth shows it: the slopes of five sigmoids leave less than a thousandth.
        if len(rows) < DEEP_SIGMOIDS or activation not in SLOW or useless is None:
            return None
        sign = useless
    first, last = table.rows[rows[0]].layer, table.rows[rows[-1]].layer
    evidence = [Evidence("layer_count", float(len(rows)),
                         AT_LEAST_LAYERS, side="at least",
                         detail=f"hidden layers with {activation}")]
    evidence.extend(_per_layer(table, rows))
    evidence.extend(sign.evidence)
    severity: Severity = "critical" if sign.severity == "critical" else "warning"
    return Match(
        severity="info" if learns(history) else severity,
        confidence=min(0.95, sign.confidence + 0.05),
        summary=(
            f"{len(rows)} hidden layers from {first} to {last} use {activation}. Each passes on "
            "only a fraction of the gradient, so the first layers hardly learn."
        ),
        first_step=0,  # the activation is there from the beginning
        last_step=sign.last_step,
        layers=tuple(table.rows[row].layer for row in rows),
        evidence=tuple(evidence),
        advice=(
            f"Use activation='relu' with kernel_initializer='he_normal' in {first} ... {last}.",
            "If you need this activation, use glorot_uniform initialization, fewer layers, skip "
            "connections or normalization layers.",
        ),
        title=f"{_display_name(activation)} in {len(rows)} hidden layers",
    )


def _saturated(history: RunHistory, signs: Signs) -> Match | None:
    """The sign that units are saturated, unless they are those of a bottleneck.

    The few units of a bottleneck have to use the whole range of their activation.
    """
    sign, model = signs.get("saturated-activation"), configuration(history)
    if sign is None:
        return None
    layers = [model.layer(name) for name in sign.layers]
    narrow = [one for one in layers if one is not None and (one.units or FEW_UNITS) < FEW_UNITS]
    return None if layers and len(narrow) == len(layers) else sign


def _per_layer(table: Table, rows: list[int]) -> list[Evidence]:
    """Change of mean |g| per layer toward the input, and the two values it follows from.

    The factor is the geometric mean of the ratios between neighbors: for n layers, the (n - 1)th
    root of the first over the last. Empty if a mean is unknown or zero.
    """
    if not table.has("gradient_mean_abs"):
        return []
    means = median_over_time(table.column("gradient_mean_abs")[:, rows])
    if len(means) < 2 or not (np.isfinite(means).all() and (means > 0).all()):
        return []
    apart = len(means) - 1
    ends = [Evidence("gradient_mean_abs", float(means[i]), None, None,
                     table.rows[rows[i]].layer, detail="(median over the records)")
            for i in (0, -1)]
    factor = float((means[0] / means[-1]) ** (1 / apart))
    # The slope of a sigmoid is at most 1/4. A larger value is shown without a limit.
    limit = SHRUNK if factor < SHRUNK else None
    return [Evidence("gradient_left_per_layer", factor, limit), *ends]


def _linear(history: RunHistory) -> Match | None:
    model = configuration(history)
    names = tuple(dict.fromkeys(_linear_layers(model)))
    linear = [layer for layer in model.layers if layer.kind in LINEAR]
    if not names or len(names) < len(linear) - 1:
        # A single linear layer may be intended (a low-rank bottleneck), so it is not reported.
        return None
    return Match(
        severity="info" if learns(history) else "warning",
        confidence=0.7,
        summary=(
            f"No hidden layer has a non-linearity ({', '.join(names[:4])}), so together with the "
            "output layer they are one linear map."
        ),
        first_step=0,
        last_step=max(0, history.last_step),
        layers=names,
        evidence=(Evidence("layer_count", float(len(names)), 0.0,
                           detail="hidden layers without a non-linearity"),),
        advice=(f"Set activation='relu' in {', '.join(names[:4])}.",),
        title="Hidden layers without a non-linearity",
    )


def _softmax(history: RunHistory) -> Match | None:
    """A softmax inside the stack: its outputs add up to 1, so the units compete for the gradient.
    """
    model = configuration(history)
    # Attention and gates also use softmax, but its output feeds a product, not a layer.
    sources = [model.source(layer) for layer in model.layers if layer.kind in HIDDEN]
    found = [layer.name for layer in sources if layer is not None and layer.activation == "softmax"]
    names = tuple(dict.fromkeys(found))
    if not names:
        return None
    return Match(
        "info" if learns(history) else "warning", 0.75,
        f"{', '.join(names[:4])} {'apply' if len(names) > 1 else 'applies'} softmax inside the "
        "network. The outputs of such a layer add up to 1, so the signal and its gradient shrink "
        "with the width.",
        0, max(0, history.last_step), names,
        (Evidence("layer_count", float(len(names)), 0.0, detail="hidden layers with softmax"),),
        (f"Set activation='relu' in {', '.join(names[:4])}. Softmax belongs in the output layer.",),
        title="Softmax inside the network",
    )


def _unbounded_cell(history: RunHistory, signs: Signs) -> Match | None:
    """ReLU inside a recurrent cell: the state is multiplied at every time step without a bound.

    This often works on short sequences, so it is a fault only if the run suffers.
    """
    cells = [
        layer for layer in configuration(history).layers
        if layer.kind in RECURRENT and layer.activation in UNBOUNDED
    ]
    if not cells:
        return None
    suffers = set(signs) & {"non-finite-values", "exploding-gradient", "loss-divergence",
                            "loss-spike", "loss-not-decreasing", "zero-gradient"}
    if not suffers and learns(history):
        return None
    names = tuple(layer.name for layer in cells)
    grave = suffers & {"non-finite-values", "exploding-gradient", "loss-divergence"}
    return Match(
        "warning" if suffers else "info", 0.7 if grave else 0.45,
        f"{', '.join(names[:4])} ({cells[0].kind}) uses {cells[0].activation} as the activation of "
        "its cell, so the state is unbounded and grows with the sequence.",
        0, max(0, history.last_step), names,
        (Evidence("layer_count", float(len(cells)), 0.0,
                  detail="recurrent layers with an unbounded activation"),),
        (f"Keep the defaults of {names[0]}: activation='tanh', recurrent_activation='sigmoid'.",),
        title="Unbounded activation in a recurrent cell", experiment=IN_CELLS,
    )


def _squashed_cell(history: RunHistory) -> Match | None:
    """A sigmoid as the cell activation: each time step leaves at most a quarter of the gradient."""
    cells = [
        layer for layer in configuration(history).layers
        if layer.kind in RECURRENT and layer.activation in SLOW
    ]
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    if not cells or trajectory is None or learns(history):
        return None
    useless = baseline is not None and trajectory.end > USELESS * baseline
    names = tuple(layer.name for layer in cells)
    return Match(
        "warning" if useless else "info", 0.65 if useless else 0.45,
        f"{', '.join(names[:4])} ({cells[0].kind}) uses {cells[0].activation} as the activation of "
        "its cell, so each time step leaves at most a quarter of the gradient.",
        0, max(0, history.last_step), names,
        (Evidence("layer_count", float(len(cells)), 0.0,
                  detail="recurrent layers with a squashing cell activation"),),
        (f"Keep the default of {names[0]}: activation='tanh'.",),
        title="Sigmoid as the activation of a recurrent cell", experiment=IN_CELLS,
    )


def _suspicious(history: RunHistory) -> Match | None:
    """Activations that can be intended but often hold a run back; reported if it learns little.

    These are sigmoid hidden layers (a slope of at most 1/4, and outputs that are not centered at
    zero) and a single hidden layer without a non-linearity among others that have one.
    """
    if learns(history) or loss_trajectory(history) is None:
        return None
    model = configuration(history)
    sigmoid = [layer for layer in model.hidden(*HIDDEN, "Activation") if layer.activation in SLOW]
    linear = tuple(dict.fromkeys(_linear_layers(model)))
    if sigmoid:
        names = tuple(layer.name for layer in sigmoid)
        return Match(
            "info", 0.4,
            f"{', '.join(names[:4])} {'use' if len(names) > 1 else 'uses'} "
            f"{sigmoid[0].activation}, which passes on at most a quarter of the gradient.",
            0, max(0, history.last_step), names,
            (Evidence("layer_count", float(len(names)), 0.0,
                      detail=f"hidden layers with {sigmoid[0].activation}"),),
            (f"Try activation='relu' in {', '.join(names[:4])}.",),
            title=f"{_display_name(sigmoid[0].activation)} in hidden layers",
        )
    if not linear:
        return None
    return Match(
        "info", 0.4,
        f"{', '.join(linear[:4])} {'have' if len(linear) > 1 else 'has'} no non-linearity before "
        "the next dense layer, so the two are one linear map.",
        0, max(0, history.last_step), linear,
        (Evidence("layer_count", float(len(linear)), 0.0,
                  detail="hidden layers without a non-linearity"),),
        (f"Set activation='relu' in {', '.join(linear[:4])}.",),
        title="A hidden layer without a non-linearity",
    )


def _display_name(activation: str) -> str:
    return activation.replace("_", " ").capitalize()


def _linear_layers(model: Configuration) -> list[str]:
    """Layers whose linear output goes straight into another linear layer."""
    pairs = ((model.source(layer), layer) for layer in model.layers if layer.kind in LINEAR)
    return [
        before.name
        for before, _ in pairs
        if before is not None and before.kind in LINEAR and before.activation in ("", "linear")
    ]


RULE = Rule(
    id="wrong-hidden-activation",
    kind="cause",
    title="Wrong activation in the hidden layers",
    needs=("gradient_mean_abs|activation_saturated_fraction|config",),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_over_baseline", high=USELESS,
            source="The model has then learned nothing (1 - R² for a squared error).",
        ),
        Threshold(
            "gradient_left_per_layer", low=SHRUNK,
            source="The steepest slope of a sigmoid is 1/4.",
        ),
        Threshold(
            "layers", high=DEEP_SIGMOIDS, detail="with sigmoid (without any other sign)",
            source="(1/4)^5 is 1e-3, the limit of vanishing-gradient.",
        ),
        Threshold(
            "output_units", high=FEW_UNITS, detail="saturated layer",
            source="One to three units are a bottleneck (see insufficient-capacity).",
        ),
        Threshold(
            "layers", high=AT_LEAST_LAYERS, detail="that squash",
            source=(
                "With this many layers, the product of their slopes matters: 0.25^3 is about 1/64."
            ),
        ),
    ),
    measures=(
        Measure(
            "gradient_left_per_layer",
            "part of the gradient that each layer passes on toward the input",
            ("gradient_mean_abs",), "fraction",
        ),
    ),
    shows=("gradient_mean_abs", "gradient_norm", "activation_saturated_fraction"),
    explains=("vanishing-gradient", "saturated-activation", "loss-not-decreasing",
              "zero-gradient", "learning-rate-too-low", "constant-output", "underfitting",
              "update-ratio-out-of-range"),
    advice=("Use ReLU in hidden dense and convolutional layers.",),
    experiment="ablation: with ReLU in the hidden layers",
    falsified_by=(
        "The weights of the first layers move as fast, relative to their size, as those of the "
        "last ones.",
    ),
    false_alarms=("Gated recurrent cells use sigmoid and tanh by design and do not count.",),
    references=(
        "Glorot & Bengio 2010",
        "Glorot, Bordes & Bengio 2011, Deep Sparse Rectifier Neural Networks",
    ),
)
