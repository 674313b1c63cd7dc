"""The proven change as edits of the user's script: only calls whose meaning is plain are touched.

This module parses the script and never runs it. It lists the edits that it cannot make safely, so
that the user can make them.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tb_convergence.experiments.changes import DROPOUT, PENALTY, STOPPING, Change

NOISE: Final = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
                "GaussianNoise", "GaussianDropout", "AlphaDropout")
WEIGHTED: Final = ("Dense", "Conv1D", "Conv2D", "Conv3D", "SeparableConv2D", "DepthwiseConv2D")
SATURATING: Final = ("relu", "sigmoid", "tanh", "leaky_relu", "elu", "selu", "softplus", "gelu",
                     "hard_sigmoid", "swish", "silu")
PENALTIES: Final = ("kernel_regularizer", "bias_regularizer", "activity_regularizer",
                    "weight_decay")
CLIPPING: Final = ("clipnorm", "clipvalue", "global_clipnorm")


@dataclass(frozen=True)
class Edit:
    """Replace the characters `begin` to `end` of the source by `text`."""

    begin: int
    end: int
    text: str


class _Source:
    """A parsed script whose nodes are found by their place in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.encode().splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line.decode()))

    def place(self, line: int, column: int) -> int:
        """Index of a node's place; columns count bytes."""
        before = self._lines[line - 1][:column].decode() if line <= len(self._lines) else ""
        return self._starts[line - 1] + len(before)

    def span(self, node: Any) -> tuple[int, int]:
        return (self.place(node.lineno, node.col_offset),
                self.place(node.end_lineno, node.end_col_offset))

    def calls(self) -> Iterator[ast.Call]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node

    def replace(self, node: Any, text: str) -> Edit:
        return Edit(*self.span(node), text)

    def without(self, call: ast.Call, keyword: ast.keyword) -> Edit:
        """Take a keyword out of a call, with the comma that goes with it."""
        begin, end = self.span(keyword)
        arguments = sorted(self.span(one) for one in [*call.args, *call.keywords])
        place = arguments.index((begin, end))
        if place + 1 < len(arguments):
            return Edit(begin, arguments[place + 1][0], "")
        return Edit(arguments[place - 1][1] if place else begin, end, "")

    def added(self, call: ast.Call, text: str) -> Edit:
        """A further argument at the end of a call."""
        arguments = [self.span(one) for one in [*call.args, *call.keywords]]
        if arguments:
            end = max(arguments)[1]
            return Edit(end, end, f", {text}")
        end = self.span(call)[1] - 1
        return Edit(end, end, text)


def name_of(call: ast.Call) -> str:
    """Last part of the name of what is called."""
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else (
        function.id if isinstance(function, ast.Name) else "")


def keyword(call: ast.Call, *names: str) -> ast.keyword | None:
    """The first keyword of one of these names."""
    return next((one for one in call.keywords if one.arg in names), None)


def edited(source: str, changes: Sequence[Change]) -> tuple[str, list[Change]]:
    """The script with `changes`, and those that could not be edited in.

    >>> text, rest = edited("model.compile('sgd', 'mse')", [])
    >>> text, rest
    ("model.compile('sgd', 'mse')", [])
    """
    by_hand: list[Change] = []
    for change in changes:
        try:
            parsed = _Source(source)
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
    """A unified diff; "" where nothing differs."""
    return "".join(difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (fixed)"))


Editor = Callable[[_Source, Change], Iterator[Edit]]


def _editor(change: Change) -> Editor:
    if change.slot == "rate":
        return _rate
    return _EDITORS.get(change.id, _nothing)


def _nothing(source: _Source, change: Change) -> Iterator[Edit]:
    yield from ()


def _compile_calls(source: _Source) -> list[ast.Call]:
    return [call for call in source.calls() if name_of(call) == "compile"
            and isinstance(call.func, ast.Attribute)
            and not (isinstance(call.func.value, ast.Name) and call.func.value.id == "re")]


def _rate(source: _Source, change: Change) -> Iterator[Edit]:
    """Another rate within the optimizer, or another optimizer."""
    settings = dict(change.settings)
    for call in _compile_calls(source):
        given = keyword(call, "optimizer")
        node = given.value if given else call.args[0] if call.args else None
        if node is None:
            continue
        made = _optimizer_call(source, node)
        if "optimizer" in settings:
            name = settings["optimizer"]
            rest = ", ".join(f"{k}={v:g}" for k, v in settings.items() if k != "optimizer")
            yield source.replace(node, f"{_keras(source)}.optimizers.{name}({rest})")
        elif made is not None:
            rate = f"{settings['learning_rate']:g}"
            known = keyword(made, "learning_rate", "lr")
            if known is not None:
                yield source.replace(known.value, rate)
            elif made.args:
                yield source.replace(made.args[0], rate)
            else:
                yield source.added(made, f"learning_rate={rate}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            kinds = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSprop", "adagrad": "Adagrad",
                     "adamw": "AdamW", "nadam": "Nadam", "adadelta": "Adadelta"}
            kind = kinds.get(node.value.lower())
            if kind:
                rate = f"{settings['learning_rate']:g}"
                yield source.replace(node, f"{_keras(source)}.optimizers.{kind}({rate})")


def _optimizer_call(source: _Source, node: Any) -> ast.Call | None:
    """The call that makes the optimizer: in place, or where its name was last given a value."""
    if isinstance(node, ast.Call):
        return node
    if isinstance(node, ast.Name):
        found = [one.value for one in ast.walk(source.tree) if isinstance(one, ast.Assign)
                 and any(isinstance(t, ast.Name) and t.id == node.id for t in one.targets)]
        if len(found) == 1 and isinstance(found[0], ast.Call):
            return found[0]
    return None


def _keras(source: _Source) -> str:
    """How the script calls Keras."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name == "keras":
                    return one.asname or "keras"
        if isinstance(node, ast.ImportFrom) and node.module == "tensorflow":
            for one in node.names:
                if one.name == "keras":
                    return one.asname or "keras"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name == "tensorflow":
                    return f"{one.asname or 'tensorflow'}.keras"
    return "keras"


def _output_call(source: _Source) -> ast.Call | None:
    """The last layer with weights in the text, which makes the output by custom."""
    found = [call for call in source.calls() if name_of(call) in WEIGHTED]
    return max(found, key=source.span, default=None)


def _activation(name: str) -> Editor:
    def edits(source: _Source, change: Change) -> Iterator[Edit]:
        last = _output_call(source)
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


def _with_penalty(source: _Source, change: Change) -> Iterator[Edit]:
    for call in source.calls():
        if name_of(call) in WEIGHTED and keyword(call, "kernel_regularizer") is None:
            yield source.added(
                call, f"kernel_regularizer={_keras(source)}.regularizers.L2({PENALTY:g})")


def _with_dropout(source: _Source, change: Change) -> Iterator[Edit]:
    """A dropout layer after each hidden `Dense`: in a list, added to a model, or called."""
    last = _output_call(source)
    parents = {id(child): node for node in ast.walk(source.tree)
               for child in ast.iter_child_nodes(node)}
    for call in source.calls():
        if name_of(call) != "Dense" or call is last:
            continue
        owner = (f"{source.text[slice(*source.span(call.func.value))]}."
                 if isinstance(call.func, ast.Attribute) else f"{_keras(source)}.layers.")
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


def _early_stopping(source: _Source, change: Change) -> Iterator[Edit]:
    """A callback in each `fit` that validates."""
    text = STOPPING.replace("keras", _keras(source), 1)
    for call in source.calls():
        if name_of(call) != "fit" or keyword(call, "validation_data", "validation_split") is None:
            continue
        given = keyword(call, "callbacks")
        if given is None:
            yield source.added(call, f"callbacks=[{text}]")
        else:
            known = source.text[slice(*source.span(given.value))]
            yield source.replace(given.value, f"[*({known} or []), {text}]")


def _initializer(name: str) -> Editor:
    def edits(source: _Source, change: Change) -> Iterator[Edit]:
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


def _without_noise(source: _Source, change: Change) -> Iterator[Edit]:
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
    def edits(source: _Source, change: Change) -> Iterator[Edit]:
        for call in source.calls():
            for name in names:
                given = keyword(call, name)
                if given is not None:
                    yield source.without(call, given)

    return edits


def _before_fit(arrays: Callable[[str, str], tuple[str, list[str]]], slot: int) -> Editor:
    """Lines before the first `fit` whose data are names: these names get new values.

    `arrays` takes the names of inputs and targets. It gives the expression by which data are
    changed (`{}` stands for them), and the lines before.
    """

    def edits(source: _Source, change: Change) -> Iterator[Edit]:
        for statement in ast.walk(source.tree):
            if not isinstance(statement, (ast.Expr, ast.Assign, ast.Return)) or not isinstance(
                    statement.value, ast.Call) or name_of(statement.value) != "fit":
                continue
            call = statement.value
            x = call.args[0] if call.args else getattr(keyword(call, "x"), "value", None)
            y = call.args[1] if len(call.args) > 1 else getattr(keyword(call, "y"), "value", None)
            held = getattr(keyword(call, "validation_data"), "value", None)
            data = (x, y)[slot]
            if data is None or y is None or (
                    held is not None and not isinstance(held, (ast.Tuple, ast.List))):
                return
            text, other = (source.text[slice(*source.span(one))] for one in (data, y))
            expression, new = arrays(text, other)
            begin = source.place(statement.lineno, 0)
            indent = " " * statement.col_offset
            yield Edit(begin, begin, "".join(f"{indent}{line}\n" for line in new))
            yield source.replace(data, expression.format(text))
            if held is not None:
                part = held.elts[slot]
                yield source.replace(
                    part, expression.format(source.text[slice(*source.span(part))]))
            return

    return edits


def _standard_inputs(x: str, y: str) -> tuple[str, list[str]]:
    return "({} - input_mean) / input_std", [
        f"axes = tuple(range({x}.ndim - 1))",
        f"input_mean, input_std = {x}.mean(axes), {x}.std(axes)",
        "input_std[input_std < 1e-6] = 1.0  # constant columns",
    ]


def _standard_targets(x: str, y: str) -> tuple[str, list[str]]:
    return "({} - target_mean) / target_std", [
        f"target_mean, target_std = {y}.mean(0), {y}.std(0)"
        "  # predictions: * target_std + target_mean",
    ]


_EDITORS: Final[dict[str, Editor]] = {
    "relu": _activation("relu"),
    "leaky-relu": _activation("leaky_relu"),
    "elu": _activation("elu"),
    "he-normal": _initializer("he_normal"),
    "lecun-normal": _initializer("lecun_normal"),
    "glorot-uniform": _initializer("glorot_uniform"),
    "without-dropout": _without_noise,
    "without-penalties": _without(PENALTIES),
    "without-clipping": _without(CLIPPING),
    "with-penalty": _with_penalty,
    "with-dropout": _with_dropout,
    "early-stopping": _early_stopping,
    "standardised-inputs": _before_fit(_standard_inputs, 0),
    "standardised-targets": _before_fit(_standard_targets, 1),
}
