"""Observes Keras' train step while it is traced, without changing the model.

Keras compiles `model.train_step` once. We have it compile a wrapped one, which patches the
instances it needs (the loss, the optimizer, the layers) while the original `train_step` runs, that
is during tracing, and unpatches them before it returns. Between traces the model is untouched, so
saving, pickling and every later `fit` see what they always saw. Only `model.train_function` is ours
during the training, and `restore` puts the previous one back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final

_MISSING: Final = object()


@contextmanager
def patched(patches: Sequence[tuple[Any, str, Any]]) -> Iterator[None]:
    """Instance attributes replaced for the duration of the block: (object, name, value).

    Works on `__dict__` itself: Keras objects watch what is assigned to them. For a class the value
    makes the replacement, given the original; other threads go on using the original.
    """
    saved: list[tuple[dict[str, Any], str, Any]] = []
    classes: list[tuple[type, str]] = []
    try:
        for target, name, value in patches:
            if isinstance(target, type):
                _ClassPatch.enter(target, name, value)
                classes.append((target, name))
                continue
            namespace = target.__dict__
            saved.append((namespace, name, namespace.get(name, _MISSING)))
            namespace[name] = value
        yield
    finally:
        for target, name in reversed(classes):
            _ClassPatch.leave(target, name)
        for namespace, name, previous in reversed(saved):
            if previous is _MISSING:
                namespace.pop(name, None)
            else:
                namespace[name] = previous


class _ClassPatch:
    """A method of a class that threads have replaced, each for itself.

    The class holds a dispatcher while any thread does, and its own method again afterward, in
    whatever order the threads leave.
    """

    _active: ClassVar[dict[tuple[type, str], _ClassPatch]] = {}
    _lock = threading.Lock()

    def __init__(self, target: type, name: str) -> None:
        self.original = getattr(target, name)
        self.by_thread: dict[int, list[Callable[..., Any]]] = {}

    @classmethod
    def enter(cls, target: type, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        with cls._lock:
            patch = cls._active.get((target, name))
            if patch is None:
                patch = cls._active[target, name] = cls(target, name)
                setattr(target, name, patch.dispatcher())
            replacement = make(patch.original)
            patch.by_thread.setdefault(threading.get_ident(), []).append(replacement)

    @classmethod
    def leave(cls, target: type, name: str) -> None:
        with cls._lock:
            patch = cls._active[target, name]
            own = patch.by_thread[threading.get_ident()]
            own.pop()
            if not own:
                del patch.by_thread[threading.get_ident()]
            if not patch.by_thread:
                setattr(target, name, patch.original)
                del cls._active[target, name]

    def dispatcher(self) -> Callable[..., Any]:
        """What stands in for the method: the thread's own replacement, or the original."""

        def dispatch(*args: Any, **kwargs: Any) -> Any:
            own = self.by_thread.get(threading.get_ident())
            return (own[-1] if own else self.original)(*args, **kwargs)

        return dispatch


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

        self.function = train_function
        model.train_function = train_function

    @property
    def installed(self) -> bool:
        """Whether the model still calls our function."""
        return self._model.train_function is self.function

    def restore(self) -> Callable[[Any], Any]:
        """Put the previous train function back, if ours is still there; return what to call."""
        if self.installed:
            self._model.train_function = self._previous
        if self._model.train_function is None:
            self._model.make_train_function()
        current: Callable[[Any], Any] = self._model.train_function
        return current
