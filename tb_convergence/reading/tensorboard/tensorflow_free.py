"""While this context is open, TensorBoard's Python loader reads files without TensorFlow.

Where TensorFlow is installed, TensorBoard imports it just to open files: seconds, and pages of log.
Worse, TensorFlow's reader aborts the whole process on a damaged length, and the process may be a
notebook with a model in training. TensorBoard brings a stand-in for installations without
TensorFlow, which raises instead; its one weakness, a slow checksum, is replaced as well.

TensorBoard's own switch (a module `tensorboard.compat.notf`) is no way to do this: it holds for the
rest of the process and breaks `tf.summary` there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tensorboard.backend.event_processing import (
    directory_loader,
    directory_watcher,
    event_file_loader,
    io_wrapper,
)
from tensorboard.compat import tensorflow_stub
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from tb_convergence.reading.crc32c import masked_crc32c

_REPLACEMENTS: Final[tuple[tuple[Any, str, Any], ...]] = (
    (directory_loader, "tf", tensorflow_stub),
    (directory_watcher, "tf", tensorflow_stub),
    (event_file_loader, "tf", tensorflow_stub),
    (io_wrapper, "tf", tensorflow_stub),
    (pywrap_tensorflow, "masked_crc32c", masked_crc32c),
)

_lock = threading.Lock()
_originals: list[tuple[Any, str, Any]] = []
_users = 0


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """See the module's docstring. May be entered several times, and by several threads."""
    global _users  # noqa: PLW0603 - what is replaced is global, so is the count of its users
    with _lock:
        if not _users:
            for module, name, replacement in _REPLACEMENTS:
                if hasattr(module, name):
                    _originals.append((module, name, getattr(module, name)))
                    setattr(module, name, replacement)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            while not _users and _originals:
                setattr(*_originals.pop())
