"""Looking into Keras' train step while it is traced, and leaving no mark on the model.

Keras compiles `model.train_step` once. We have it compile a wrapped one, which patches the
instances it needs (the loss, the optimizer, the layers) while the original `train_step` runs, that
is during tracing, and unpatches them before it returns. Between traces the model is untouched, so
saving, pickling and every later `fit` see what they always saw. Only `model.train_function` is
ours during the training, and `restore` puts the previous one back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

_MISSING: Final = object()
_INSTEAD_OF: Final = "_instead_of"
"""Attribute of a train function of ours: what it stands in for."""


@contextmanager
def patched(patches: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Instance attributes replaced for the duration of the block: (object, name, value).

    Works on `__dict__` itself: Keras objects watch what is assigned to them. A class is patched for
    all its instances.
    """
    saved: list[tuple[dict[str, Any], str, Any]] = []
    classes: list[tuple[type, str, Any]] = []
    try:
        for target, name, value in patches:
            if isinstance(target, type):
                classes.append((target, name, getattr(target, name)))
                setattr(target, name, value)
                continue
            namespace = target.__dict__
            saved.append((namespace, name, namespace.get(name, _MISSING)))
            namespace[name] = value
        yield
    finally:
        for target, name, previous in reversed(classes):
            setattr(target, name, previous)
        for namespace, name, previous in reversed(saved):
            if previous is _MISSING:
                namespace.pop(name, None)
            else:
                namespace[name] = previous


class TrainFunction:
    """Replaces `model.train_function` by one that traces `step`, and puts it back.

    Args:
        model: a compiled Keras model.
        step: called with the original `train_step` and the batch, instead of it.
        around: called with the compiled function and the iterator; calls the function.
    """

    def __init__(
        self,
        model: Any,
        step: Callable[[Callable[[Any], Any], Any], Any],
        around: Callable[[Callable[[Any], Any], Any], Any],
    ) -> None:
        self._model = model
        self._previous = model.train_function
        self._plain: Callable[[Any], Any] | None = None
        original = model.train_step

        def observed_step(data: Any) -> Any:
            return step(original, data)

        with patched([(model, "train_step", observed_step)]):
            model.train_function = None
            model.make_train_function()
        inner = model.train_function
        if inner is None:
            model.train_function = self._previous
            raise RuntimeError(f"{type(model).__name__}.make_train_function made no train function")

        def train_function(iterator: Any) -> Any:
            return around(inner, iterator)

        train_function.__dict__[_INSTEAD_OF] = self
        self.function = train_function
        model.train_function = train_function

    @property
    def installed(self) -> bool:
        """Whether the model still calls our function."""
        return self._model.train_function is self.function

    @property
    def plain(self) -> Callable[[Any], Any]:
        """What Keras made of the model, unobserved: the one that trained it before, if any did."""
        if self._plain is None:
            if self._previous is None:
                self._model.train_function = None
                self._model.make_train_function()
                self._previous = self._model.train_function
                self._model.train_function = self.function
            # That of another callback would have it see some of the steps: it sees all or none.
            other = getattr(self._previous, _INSTEAD_OF, None)
            self._plain = self._previous if other is None else other.plain
        return self._plain

    def restore(self) -> Callable[[Any], Any]:
        """Put the previous train function back, if ours is still there; return what to call."""
        if self.installed:
            self._model.train_function = self._previous
        if self._model.train_function is None:
            self._model.make_train_function()
        current: Callable[[Any], Any] = self._model.train_function
        return current
