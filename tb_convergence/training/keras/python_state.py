"""Python code of the user's runs once more when its step is traced again: what that changes is put
back, as far as it can be reached.

The objects are the model, its layers, losses, metrics and optimizers. Reachable are their
attributes and the contents of lists, dicts and sets in these. While other Python code may run, such
as a thread or a data generator, only numbers, texts and flags are put back: nothing that it does
may be lost.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tb_convergence.training.keras.compat import python_is_alone

PLAIN: Final = (bool, int, float, str, tuple, type(None))

DEPTH: Final = 3
"""Lists in lists are followed so far."""

_MISSING: Final = object()


@contextmanager
def attributes_kept(objects: Sequence[Any]) -> Iterator[None]:
    """Put back attributes of `objects` that the block sets, changes or deletes."""
    namespaces = [vars(item) for item in objects if hasattr(item, "__dict__")]
    saved = [dict(namespace) for namespace in namespaces]
    contents = _contents(saved) if python_is_alone() else []
    try:
        yield
    finally:
        alone = python_is_alone()
        for namespace, before in zip(namespaces, saved, strict=True):
            for name in [name for name in namespace if alone and name not in before]:
                del namespace[name]
            for name, value in before.items():
                kept = alone or (type(value) in PLAIN and name in namespace)
                if kept and namespace.get(name, _MISSING) is not value:
                    namespace[name] = value
        for container, items in contents if alone else ():
            _put_back(container, items)


def _contents(namespaces: Sequence[dict[str, Any]]) -> list[tuple[Any, Any]]:
    """(container, copy of it) for all that attributes hold."""
    found: dict[int, tuple[Any, Any]] = {}
    waiting = [(value, 1) for namespace in namespaces for value in namespace.values()]
    while waiting:
        value, depth = waiting.pop()
        kind = _kind(value)
        if kind is None or id(value) in found:
            continue
        found[id(value)] = value, kind(value)
        if depth < DEPTH:
            inside = value.values() if kind is dict else value
            waiting += [(item, depth + 1) for item in inside]
    return list(found.values())


def _kind(value: Any) -> Any:
    """`list`, `dict` or `set` where `value` is one, of Python or as Keras tracks it."""
    if type(value).__module__.partition(".")[0] not in ("builtins", "keras"):
        return None
    return next((kind for kind in (list, dict, set) if isinstance(value, kind)), None)


def _put_back(container: Any, before: Any) -> None:
    """Give a container its former items, past what Keras does when one is changed."""
    kind = type(before)
    if kind is list:
        if len(container) != len(before) or any(
            now is not then for now, then in zip(container, before, strict=True)
        ):
            list.__setitem__(container, slice(None), before)
    elif kind is set:
        if container != before:
            set.clear(container)
            set.update(container, before)
    elif container.keys() != before.keys() or any(
        container[key] is not before[key] for key in before
    ):
        dict.clear(container)
        dict.update(container, before)


@contextmanager
def prints_dropped() -> Iterator[None]:
    """What this thread prints in the block is printed already; other threads print on."""
    proxies = {
        name: _Silent(stream)
        for name in ("stdout", "stderr")
        if (stream := getattr(sys, name)) is not None  # as in a program without a console
    }
    for name, proxy in proxies.items():
        setattr(sys, name, proxy)
    try:
        yield
    finally:
        for name, proxy in proxies.items():
            if getattr(sys, name) is proxy:  # one that the block itself has set stays
                setattr(sys, name, proxy.stream)


class _Silent:
    """A stream that takes nothing from the thread that made it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> Any:
        """Write, or drop, `text`."""
        if threading.get_ident() == self._thread:
            return len(text)
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)
