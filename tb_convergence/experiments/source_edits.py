"""The proven change as edits of the user's script: only calls whose meaning is plain are touched.

This module parses the script and never runs it. It lists the edits that it cannot make safely, so
that the user can make them.
"""

from __future__ import annotations

import ast
import difflib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tb_convergence.experiments.changes import DROPOUT, PENALTY, STOPPING, Change
from tb_convergence.experiments.source_tree import (
    OPTIMIZERS,
    WEIGHTED,
    Edit,
    Source,
    compile_calls,
    importing_keras,
    is_fit_of_keras,
    keyword,
    name_of,
    only_compile,
    optimizer_call,
    output_call,
    with_keras,
    with_numpy,
)

NOISE: Final = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
                "GaussianNoise", "GaussianDropout", "AlphaDropout")
SATURATING: Final = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "softplus", "gelu",
                     "hard_sigmoid", "swish", "silu")
PENALTIES: Final = ("kernel_regularizer", "bias_regularizer", "activity_regularizer",
                    "weight_decay")
CLIPPING: Final = ("clipnorm", "clipvalue", "global_clipnorm")
CALLBACKS_PLACE: Final = 5
"""Position of `callbacks` among the arguments of `fit`."""


def edited(source: str, changes: Sequence[Change]) -> tuple[str, list[Change]]:
    """The script with `changes`, and those that could not be edited in.

    >>> text, rest = edited("model.compile('sgd', 'mse')", [])
    >>> text, rest
    ("model.compile('sgd', 'mse')", [])
    """
    by_hand: list[Change] = []
    for change in changes:
        try:
            parsed = Source(source)
            edits = list(_editor(change)(parsed, change))
        except SyntaxError:
            edits = []
        after = applied(source, edits)
        try:
            ast.parse(after)
        except SyntaxError:
            after = source
        if after == source:
            by_hand.append(change)
        source = after
    return source, by_hand


def applied(source: str, edits: Sequence[Edit]) -> str:
    """The source with all edits, last first; of two that overlap the first is made."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda one: (one.begin, one.end)):
        if not kept or edit.begin >= kept[-1].end:
            kept.append(edit)
    for edit in reversed(kept):
        source = source[: edit.begin] + edit.text + source[edit.end :]
    return source


def unified(before: str, after: str, name: str) -> str:
    """A unified diff; "" if nothing differs."""
    lines = difflib.unified_diff(
        io.StringIO(before, newline="\n").readlines(), io.StringIO(after, newline="\n").readlines(),
        name, f"{name} (fixed)")
    # A last line without an end of its own must not run into the next one.
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
                   for line in lines)


Editor = Callable[[Source, Change], Iterator[Edit]]


def _editor(change: Change) -> Editor:
    if change.slot == "rate":
        return _rate
    return _EDITORS.get(change.id, _nothing)


def _nothing(source: Source, change: Change) -> Iterator[Edit]:
    yield from ()


def _rate(source: Source, change: Change) -> Iterator[Edit]:
    """Another rate within the optimizer, or another optimizer."""
    settings = dict(change.settings)
    call = only_compile(source)
    if call is None or "learning_rate" not in settings:
        return
    given = keyword(call, "optimizer")
    node = given.value if given else call.args[0] if call.args else None
    if node is None or isinstance(node, ast.Starred):
        return
    rate = f"{settings['learning_rate']:g}"
    made = optimizer_call(source, node)
    if "optimizer" in settings:
        name = settings["optimizer"]
        rest = ", ".join(f"{k}={v:g}" for k, v in settings.items() if k != "optimizer")
        yield from importing_keras(source, node, "{}.optimizers." + f"{name}({rest})")
    elif made is not None:
        known = keyword(made, "learning_rate", "lr")
        if known is not None:
            yield source.replace(known.value, rate)
        elif made.args and not isinstance(made.args[0], ast.Starred):
            yield source.replace(made.args[0], rate)
        elif not made.args and all(one.arg for one in made.keywords):
            yield source.added(made, f"learning_rate={rate}")
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        kind = OPTIMIZERS.get(node.value.lower())
        if kind:
            yield from importing_keras(source, node, "{}.optimizers." + f"{kind}({rate})")


def _activation(name: str) -> Editor:
    def edits(source: Source, change: Change) -> Iterator[Edit]:
        last = output_call(source)
        if last is None or len(compile_calls(source)) > 1:
            return
        for call in source.calls():
            called = name_of(call)
            given = keyword(call, "activation")
            if called in WEIGHTED and call is not last and given is not None and isinstance(
                    given.value, ast.Constant) and given.value.value in SATURATING:
                yield source.replace(given.value, f'"{name}"')
            elif called == "Activation" and call.args and isinstance(
                    call.args[0], ast.Constant) and call.args[0].value in SATURATING:
                yield source.replace(call.args[0], f'"{name}"')

    return edits


def _with_penalty(source: Source, change: Change) -> Iterator[Edit]:
    name, more = with_keras(source)
    found = [call for call in source.calls()
             if name_of(call) in WEIGHTED and keyword(call, "kernel_regularizer") is None]
    yield from more if found else ()
    for call in found:
        yield source.added(call, f"kernel_regularizer={name}.regularizers.L2({PENALTY:g})")


def _with_dropout(source: Source, change: Change) -> Iterator[Edit]:
    """A dropout layer after each hidden `Dense`: in a list, added to a model, or called."""
    last = output_call(source)
    if last is None:
        return
    keras, more = with_keras(source)
    parents = {id(child): node for node in ast.walk(source.tree)
               for child in ast.iter_child_nodes(node)}
    for call in source.calls():
        if name_of(call) != "Dense" or call is last:
            continue
        if isinstance(call.func, ast.Attribute):
            owner = f"{source.text[slice(*source.span(call.func.value))]}."
        else:
            owner = f"{keras}.layers."
            yield from more
            more = []
        layer, parent = f"{owner}Dropout({DROPOUT:g})", parents.get(id(call))
        begin, end = source.span(call)
        if isinstance(parent, (ast.List, ast.Tuple)):
            alone = source.text[: begin].rpartition("\n")[2].strip() == ""
            between = f",\n{' ' * call.col_offset}" if alone else ", "
            yield Edit(end, end, f"{between}{layer}")
        elif isinstance(parent, ast.Call) and parent.func is call:
            begin, end = source.span(parent)
            yield Edit(begin, begin, f"{layer}(")
            yield Edit(end, end, ")")
        elif isinstance(parent, ast.Call) and name_of(parent) == "add" and isinstance(
                parents.get(id(parent)), ast.Expr):
            begin, end = source.span(parent)
            model = source.text[slice(*source.span(parent.func.value))]  # type: ignore[attr-defined]
            yield Edit(end, end, f"\n{' ' * parent.col_offset}{model}.add({layer})")


def _early_stopping(source: Source, change: Change) -> Iterator[Edit]:
    """A callback in each `fit` that validates."""
    name, more = with_keras(source)
    text = STOPPING.replace("keras", name, 1)
    for call in source.calls():
        if name_of(call) != "fit" or keyword(call, "validation_data", "validation_split") is None:
            continue
        if any(one.arg is None for one in call.keywords) or any(
                isinstance(one, ast.Starred) for one in call.args):
            continue  # they may contain callbacks
        yield from more
        more = []
        given = keyword(call, "callbacks")
        node = given.value if given else (
            call.args[CALLBACKS_PLACE] if len(call.args) > CALLBACKS_PLACE else None)
        if node is None:
            yield source.added(call, f"callbacks=[{text}]")
        else:
            known = source.text[slice(*source.span(node))]
            yield source.replace(node, f"[*({known} or []), {text}]")


def _initializer(name: str) -> Editor:
    def edits(source: Source, change: Change) -> Iterator[Edit]:
        for call in source.calls():
            if name_of(call) not in WEIGHTED:
                continue
            bias, kernel = keyword(call, "bias_initializer"), keyword(call, "kernel_initializer")
            if bias is not None:
                yield source.replace(bias.value, '"zeros"')
            if kernel is not None:
                yield source.replace(kernel.value, f'"{name}"')
            elif name != "glorot_uniform":  # the default
                yield source.added(call, f'kernel_initializer="{name}"')

    return edits


def _without_noise(source: Source, change: Change) -> Iterator[Edit]:
    for call in source.calls():
        if name_of(call) in NOISE:
            rate = keyword(call, "rate", "stddev")
            node = rate.value if rate else call.args[0] if call.args else None
            if node is not None:
                yield source.replace(node, "0.0")
        for name in ("dropout", "recurrent_dropout"):
            given = keyword(call, name)
            if given is not None and isinstance(given.value, ast.Constant):
                yield source.replace(given.value, "0.0")


def _without(names: Sequence[str]) -> Editor:
    def edits(source: Source, change: Change) -> Iterator[Edit]:
        for call in source.calls():
            for name in names:
                given = keyword(call, name)
                if given is not None:
                    yield source.without(call, given)

    return edits


def _without_penalties(source: Source, change: Change) -> Iterator[Edit]:
    """`AdamW` decays weights also where it is not asked to: its decay becomes 0."""
    for call in source.calls():
        decays = name_of(call) == "AdamW"
        for name in PENALTIES:
            given = keyword(call, name)
            if given is not None and not (decays and name == "weight_decay"):
                yield source.without(call, given)
            elif given is not None:
                yield source.replace(given.value, "0.0")
            elif decays and name == "weight_decay" and len(call.args) < 2:
                yield source.added(call, "weight_decay=0.0")


def _before_fit(arrays: Callable[[str, str], tuple[str, list[str]]], slot: int) -> Editor:
    """Lines before the only `fit`, whose data are then changed in place.

    `arrays` takes the inputs or targets, and NumPy's name. It gives the expression by which data
    are changed (`{}` stands for them), and the lines before.
    """

    def edits(source: Source, change: Change) -> Iterator[Edit]:
        owners = {source.text[slice(*source.span(call.func.value))]  # type: ignore[attr-defined]
                  for call in compile_calls(source)}
        found = [one for one in ast.walk(source.tree)
                 if isinstance(one, (ast.Expr, ast.Assign, ast.Return))
                 and isinstance(one.value, ast.Call)
                 and is_fit_of_keras(one.value, owners, source)]
        if len(found) != 1:
            return
        statement, call = found[0], found[0].value
        assert isinstance(call, ast.Call)
        x = call.args[0] if call.args else getattr(keyword(call, "x"), "value", None)
        y = call.args[1] if len(call.args) > 1 else getattr(keyword(call, "y"), "value", None)
        held = getattr(keyword(call, "validation_data"), "value", None)
        data = (x, y)[slot]
        # What is called may give other data each time; a display of arrays has several scales.
        if y is None or not isinstance(data, (ast.Name, ast.Attribute, ast.Subscript)) or (
                held is not None and not (isinstance(held, (ast.Tuple, ast.List))
                                          and len(held.elts) > slot)):
            return
        numpy, more = with_numpy(source)
        yield from more
        text = source.text[slice(*source.span(data))]
        expression, new = arrays(text, numpy)
        begin = source.place(statement.lineno, 0)
        indent = " " * statement.col_offset
        yield Edit(begin, begin, "".join(f"{indent}{line}\n" for line in new))
        yield source.replace(data, expression.format(text))
        if held is not None:
            part = held.elts[slot]
            yield source.replace(part, expression.format(source.text[slice(*source.span(part))]))

    return edits


def _standard_inputs(data: str, numpy: str) -> tuple[str, list[str]]:
    return "({} - input_mean) / input_std", [
        f"input_values = {numpy}.asarray({data})",
        "input_axes = tuple(range(max(1, input_values.ndim - 1)))",
        "input_mean, input_std = input_values.mean(input_axes), input_values.std(input_axes)",
        f"input_std = {numpy}.where(input_std < 1e-6, 1.0, input_std)  # constant columns",
        "# In evaluate and predict, too: (x - input_mean) / input_std",
    ]


def _standard_targets(data: str, numpy: str) -> tuple[str, list[str]]:
    return "({} - target_mean) / target_std", [
        f"target_mean, target_std = {numpy}.mean({data}, 0), {numpy}.std({data}, 0)",
        "# Predictions: model.predict(x) * target_std + target_mean",
    ]


def _suitable_output(source: Source, change: Change) -> Iterator[Edit]:
    """The activation of the last layer, and the loss."""
    last, compiled = output_call(source), only_compile(source)
    if last is None or compiled is None or "loss" not in change.settings:
        return
    if any(name_of(call) in ("Activation", "Softmax") and source.span(call) > source.span(last)
           for call in source.calls()):
        return  # it may make the output
    given = keyword(compiled, "loss")
    loss = given.value if given else compiled.args[1] if len(compiled.args) > 1 else None
    if loss is None:
        return
    yield source.replace(loss, f'"{change.settings["loss"]}"')
    activation = keyword(last, "activation")
    name = str(change.settings["activation"])
    if activation is not None:
        yield source.replace(activation.value, f'"{name}"')
    elif len(last.args) > 1:
        yield source.replace(last.args[1], f'"{name}"')
    elif name != "linear":
        yield source.added(last, f'activation="{name}"')


_EDITORS: Final[dict[str, Editor]] = {
    "relu": _activation("relu"),
    "leaky-relu": _activation("leaky_relu"),
    "elu": _activation("elu"),
    "he-normal": _initializer("he_normal"),
    "lecun-normal": _initializer("lecun_normal"),
    "glorot-uniform": _initializer("glorot_uniform"),
    "without-dropout": _without_noise,
    "without-penalties": _without_penalties,
    "without-clipping": _without(CLIPPING),
    "with-penalty": _with_penalty,
    "with-dropout": _with_dropout,
    "early-stopping": _early_stopping,
    "suitable-output": _suitable_output,
    "standardised-inputs": _before_fit(_standard_inputs, 0),
    "standardised-targets": _before_fit(_standard_targets, 1),
}
