"""Every private name of TensorBoard that we use, what for, and what is lost when it disappears.

TensorBoard may change them with any release. Each is looked up before it is used, and where it is
missing the package does without: slower, or with less to say, never with an error. A test holds
`PRIVATE_NAMES` against the TensorBoard that is installed, so that a release that changes one is
noticed by us first.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

_BACKEND: Final = "tensorboard.backend.event_processing"


@dataclass(frozen=True, slots=True)
class PrivateName:
    """One name that TensorBoard does not promise.

    Attributes:
        module: where it is.
        name: dotted below the module; an attribute that instances have is written "Class().name".
        lost: what breaks when it disappears.
    """

    module: str
    name: str
    lost: str

    def exists(self) -> bool:
        """Whether the installed TensorBoard has it."""
        try:
            owner: Any = import_module(self.module)
        except ImportError:
            return False
        kind, instance, attribute = self.name.partition("().")
        for part in kind.split("."):
            owner = getattr(owner, part, None)
            if owner is None:
                return False
        if not instance:
            return True
        return f"self.{attribute} " in inspect.getsource(owner)


_SLOW_LISTS: Final = "runs are listed as slowly as TensorBoard lists them itself"
_EAGER: Final = "tensors are unpacked when they are read: twice the memory for large runs"
_WITH_TENSORFLOW: Final = (
    "the Python loader imports TensorFlow where it is installed, and a damaged length aborts the "
    "process"
)

PRIVATE_NAMES: Final[tuple[PrivateName, ...]] = (
    PrivateName("tensorboard.data.grpc_provider", "GrpcDataProvider()._stub", _EAGER),
    PrivateName("tensorboard.data.grpc_provider", "GrpcDataProvider()._addr", _EAGER),
    PrivateName(f"{_BACKEND}.data_provider", "MultiplexerDataProvider()._multiplexer", _EAGER),
    PrivateName(f"{_BACKEND}.data_provider", "MultiplexerDataProvider()._logdir", _EAGER),
    PrivateName(f"{_BACKEND}.data_provider", "MultiplexerDataProvider._list", _SLOW_LISTS),
    PrivateName(
        f"{_BACKEND}.plugin_event_accumulator", "EventAccumulator.Reload",
        "one record that is no event ends TensorBoard's reading of every run (Python loader)",
    ),
    PrivateName(f"{_BACKEND}.directory_loader", "tf", _WITH_TENSORFLOW),
    PrivateName(f"{_BACKEND}.directory_watcher", "tf", _WITH_TENSORFLOW),
    PrivateName(f"{_BACKEND}.event_file_loader", "tf", _WITH_TENSORFLOW),
    PrivateName(f"{_BACKEND}.io_wrapper", "tf", _WITH_TENSORFLOW),
    PrivateName("tensorboard.compat", "tensorflow_stub", _WITH_TENSORFLOW),
    PrivateName(
        "tensorboard.compat.tensorflow_stub.pywrap_tensorflow", "masked_crc32c",
        "the Python loader checks event files at 8 MB a second",
    ),
)

_DATA_SERVER: Final = ("tensorboard.data.grpc_provider", "GrpcDataProvider")
_MULTIPLEXER: Final = (f"{_BACKEND}.data_provider", "MultiplexerDataProvider")
_LISTING: Final = ("self", "construct_time_series", "index")
"""Parameters of `MultiplexerDataProvider._list`, which is overridden."""


def data_server_parts(provider: Any) -> tuple[str, Any] | None:
    """Address and stub of TensorBoard's provider of a data server; None of any other provider."""
    # By name: importing its class imports gRPC, which the other loader does without.
    if (type(provider).__module__, type(provider).__name__) != _DATA_SERVER:
        return None
    if not (hasattr(provider, "_stub") and hasattr(provider, "_addr")):
        return None
    return provider._addr, provider._stub


def multiplexer_parts(provider: Any) -> tuple[Any, str] | None:
    """Multiplexer and log directory of TensorBoard's Python provider; None of any other one."""
    if (type(provider).__module__, type(provider).__name__) != _MULTIPLEXER:
        return None
    if not (hasattr(provider, "_multiplexer") and hasattr(provider, "_logdir")):
        return None
    return provider._multiplexer, provider._logdir


def is_data_server(provider: Any) -> bool:
    """Whether `provider` asks a data server, ours or TensorBoard's."""
    asked = getattr(provider, "answered", provider)
    return any(kind.__module__ == _DATA_SERVER[0] for kind in type(asked).__mro__)


def lists_as_known(provider_class: type) -> bool:
    """Whether TensorBoard's provider still lists its series by the method that is overridden."""
    listing = getattr(provider_class, "_list", None)
    return listing is not None and tuple(inspect.signature(listing).parameters) == _LISTING
