"""A script as it is written: its calls by their place in the text, and what they are.

The script is parsed, never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

WEIGHTED: Final = ("Dense", "Conv1D", "Conv2D", "Conv3D", "SeparableConv2D", "DepthwiseConv2D")
OPTIMIZERS: Final = {name.lower(): name for name in (
    "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam",
    "Ftrl", "Lion", "Lamb", "Muon")}
"""Keras' optimizers, whose first argument is the learning rate: by the name `compile` knows."""
OF_KERAS_FIT: Final = ("epochs", "batch_size", "verbose", "callbacks", "validation_data",
                       "validation_split", "steps_per_epoch")


@dataclass(frozen=True)
class Edit:
    """Replace the characters `begin` to `end` of the source by `text`."""

    begin: int
    end: int
    text: str


class Source:
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
        """Where a node begins and ends in the text."""
        return (self.place(node.lineno, node.col_offset),
                self.place(node.end_lineno, node.end_col_offset))

    def calls(self) -> Iterator[ast.Call]:
        """Every call, in no order of the text."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node

    def replace(self, node: Any, text: str) -> Edit:
        """Other text instead of a node."""
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


def _modules(source: Source) -> set[str]:
    """Names that imports bind, such as `re` and `torch`: their `compile` is another."""
    return {(one.asname or one.name).split(".")[0] for node in ast.walk(source.tree)
            if isinstance(node, ast.Import) for one in node.names}


def compile_calls(source: Source) -> list[ast.Call]:
    """Calls of `compile` of an object of the script's own, such as a model."""
    modules = _modules(source)
    return [call for call in source.calls() if name_of(call) == "compile"
            and isinstance(call.func, ast.Attribute)
            and not (isinstance(call.func.value, ast.Name) and call.func.value.id in modules)]


def only_compile(source: Source) -> ast.Call | None:
    """The one call of `compile`; of several, nothing tells which model was examined."""
    found = compile_calls(source)
    return found[0] if len(found) == 1 else None


def optimizer_call(source: Source, node: Any) -> ast.Call | None:
    """The call that makes the optimizer: in place, or where its name was last given a value.

    None if that is no class of Keras: the first argument of another function is not the rate.
    """
    if isinstance(node, ast.Name):
        found = [one.value for one in ast.walk(source.tree) if isinstance(one, ast.Assign)
                 and any(isinstance(t, ast.Name) and t.id == node.id for t in one.targets)]
        node = found[0] if len(found) == 1 else None
    if isinstance(node, ast.Call) and name_of(node) in OPTIMIZERS.values():
        return node
    return None


def _keras(source: Source) -> str:
    """How the script calls Keras; "" if it does not import it by a name of its own."""
    tensorflow = ""
    for node in _at_the_top(source.tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name in ("keras", "tensorflow.keras"):
                    return one.asname or one.name
                if one.name.startswith("keras.") and one.asname is None:
                    return "keras"
                if one.name == "tensorflow":
                    tensorflow = f"{one.asname or 'tensorflow'}.keras"
        if isinstance(node, ast.ImportFrom) and node.module == "tensorflow":
            for one in node.names:
                if one.name == "keras":
                    return one.asname or "keras"
    return tensorflow


def _at_the_top(node: Any) -> Iterator[Any]:
    """Statements that bind names of the module: also those in its `try` and `if`."""
    for part in ast.iter_child_nodes(node):
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            yield part
            yield from _at_the_top(part)


def _imported(source: Source, line: str) -> Edit:
    """The line `line` before the first import of the script that may have one before it."""
    for node in source.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and getattr(
                node, "module", None) != "__future__":
            begin = source.place(node.lineno, 0)
            return Edit(begin, begin, f"{line}\n")
    return Edit(0, 0, f"{line}\n")


def with_keras(source: Source) -> tuple[str, list[Edit]]:
    """How the script can call Keras, and the import that this needs."""
    name = _keras(source)
    if name:
        return name, []
    tensorflow = any(isinstance(node, ast.ImportFrom)
                     and (node.module or "").split(".")[0] == "tensorflow"
                     for node in _at_the_top(source.tree))
    line = "from tensorflow import keras" if tensorflow else "import keras"
    return "keras", [_imported(source, line)]


def importing_keras(source: Source, node: Any, text: str) -> Iterator[Edit]:
    """Replace `node` by `text`, in which `{}` stands for the name of Keras."""
    name, more = with_keras(source)
    yield from more
    yield source.replace(node, text.format(name))


def output_call(source: Source) -> ast.Call | None:
    """The last layer with weights in the text, which makes the output by custom.

    None if layers are made in several functions or classes: their order in the text is not that
    of the model.
    """
    found: list[tuple[Any, ast.Call]] = []

    def search(node: Any, scope: Any) -> None:
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.Call) and name_of(part) in WEIGHTED:
                found.append((scope, part))
            inner = isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            search(part, part if inner else scope)

    search(source.tree, None)
    if len({id(scope) for scope, _ in found}) != 1:
        return None
    return max((call for _, call in found), key=source.span)


def is_fit_of_keras(call: ast.Call, owners: set[str], source: Source) -> bool:
    """Whether a call is `fit` of a model of Keras, and not of scikit-learn."""
    if name_of(call) != "fit" or not isinstance(call.func, ast.Attribute):
        return False
    return (keyword(call, *OF_KERAS_FIT) is not None
            or source.text[slice(*source.span(call.func.value))] in owners)


def with_numpy(source: Source) -> tuple[str, list[Edit]]:
    """How the script calls NumPy, and the import that this needs."""
    for node in _at_the_top(source.tree):
        for one in node.names if isinstance(node, ast.Import) else ():
            if one.name == "numpy":
                return one.asname or "numpy", []
    return "numpy", [_imported(source, "import numpy")]
