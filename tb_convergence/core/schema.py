"""Wire format: what a record looks like in an event file, and how a reader checks it.

One tensor summary per group and recorded step: float32 `[R, C]`, R rows (variables, layers,
features), C columns (statistics, by name). What rows and columns mean travels as plugin metadata, a
protobuf message, once per tag: TensorBoard keeps the first metadata of a tag and drops the rest.

Because of that a layout must never change under a tag. The tag therefore ends in a digest of the
layout: a model that gains a layer starts a new tag, and the reader joins the tags of one group.

The message is declared here rather than in a generated module, so that no generated code pins the
protobuf version of the person who installs us::

    message Layout {
      int32 version = 1;            // SCHEMA_VERSION
      string group = 2;             // "variables", "activations", "inputs", "run", ...
      string model = 3;             // which model, where a run holds several
      repeated Row rows = 4;
      repeated string columns = 5;  // statistics by name; the last is "check"
    }
    message Row {
      string name = 1;              // path of the variable, layer or feature; any text
      string layer = 2;             // the layer a user recognizes
      string kind = 3;              // "kernel", "bias", ... | "output" | "input", "target", ...
      repeated int64 shape = 4;
      string dtype = 5;
      string activation = 6;
      string initializer = 7;
    }
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory
from numpy.typing import NDArray

PLUGIN_NAME: Final = "convergence"
SCHEMA_VERSION: Final = 1
CONFIG_TAG: Final = "convergence/config"
"""Tag of the run's static configuration: one strict JSON document in a string scalar tensor.

Its plugin metadata has our plugin name and no content, which no layout has. Where a run holds
several (a training that was resumed), the last one holds.
"""

MAX_ROWS: Final = 100_000
MAX_COLUMNS: Final = 1_000
MAX_TEXT: Final = 10_000
"""A layout beyond these is refused: metadata is untrusted input."""


class SchemaError(ValueError):
    """Metadata or a record that is not ours, is damaged, or is newer than this reader."""


@dataclass(frozen=True, slots=True)
class Row:
    """The description of one row of a table.

    Attributes:
        name: path of the variable, name of the layer or of the feature; any text.
        layer: the layer a user recognizes; equal to `name` for layers.
        kind: role: "kernel", "bias", "gamma", "beta", "embedding", "recurrent_kernel", "other" for
            variables; "output" for layers; "input", "target", "prediction" for data.
        shape: static shape; () for a scalar. For features: (first, last + 1) of the group.
        dtype: name of the dtype, such as "float32".
        activation: name of the layer's activation, "" if there is none or it is not known.
        initializer: class name of the initializer, "" if not known.
    """

    name: str
    layer: str
    kind: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    activation: str = ""
    initializer: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Meaning of the rows `[R]` and columns `[C]` of one tag's tensors."""

    group: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    model: str = ""
    version: int = SCHEMA_VERSION

    @property
    def tag(self) -> str:
        """`convergence/<group>/<digest>`; two layouts share a tag only if they are equal."""
        return tag_of(self.group, encode_layout(self))


def tag_of(group: str, content: bytes) -> str:
    """Tag of the layout that is encoded as `content`: a reader's proof that metadata is intact."""
    return f"{PLUGIN_NAME}/{group}/{hashlib.sha256(content).hexdigest()[:8]}"


def _field(
    name: str, number: int, kind: int, repeated: bool = False, type_name: str = ""
) -> descriptor_pb2.FieldDescriptorProto:
    field = descriptor_pb2.FieldDescriptorProto
    return field(
        name=name,
        number=number,
        type=kind,  # type: ignore[arg-type]
        label=field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL,
        type_name=type_name or None,
    )


@cache
def _layout_message() -> Any:
    """The generated class of `message Layout` above."""
    text = descriptor_pb2.FieldDescriptorProto.TYPE_STRING
    int32 = descriptor_pb2.FieldDescriptorProto.TYPE_INT32
    int64 = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
    nested = descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    file = descriptor_pb2.FileDescriptorProto(
        name="tb_convergence/schema.proto", package="tb_convergence", syntax="proto3"
    )
    file.message_type.add(
        name="Row",
        field=[
            _field("name", 1, text),
            _field("layer", 2, text),
            _field("kind", 3, text),
            _field("shape", 4, int64, repeated=True),
            _field("dtype", 5, text),
            _field("activation", 6, text),
            _field("initializer", 7, text),
        ],
    )
    file.message_type.add(
        name="Layout",
        field=[
            _field("version", 1, int32),
            _field("group", 2, text),
            _field("model", 3, text),
            _field("rows", 4, nested, repeated=True, type_name=".tb_convergence.Row"),
            _field("columns", 5, text, repeated=True),
        ],
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tb_convergence.Layout"))


def encode_layout(layout: Layout) -> bytes:
    """Plugin metadata for `layout`; equal layouts give equal bytes."""
    proto = _layout_message()(
        version=layout.version, group=layout.group, model=layout.model, columns=layout.columns
    )
    for row in layout.rows:
        proto.rows.add(
            name=row.name, layer=row.layer, kind=row.kind, shape=row.shape,
            dtype=row.dtype, activation=row.activation, initializer=row.initializer,
        )
    return bytes(proto.SerializeToString(deterministic=True))


def decode_layout(content: bytes) -> Layout:
    """Inverse of `encode_layout`, for untrusted bytes.

    Raises:
        SchemaError: not a layout, of an unknown version, or beyond the limits above.
    """
    proto = _layout_message()()
    try:
        proto.ParseFromString(content)
    except (message.DecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"plugin metadata is not a layout: {error}") from error
    if proto.version > SCHEMA_VERSION:
        raise SchemaError(
            f"written by a newer version (schema {proto.version}, this reader knows "
            f"{SCHEMA_VERSION}): upgrade tensorboard-plugin-convergence"
        )
    if proto.version < 1 or not proto.group:
        raise SchemaError(f"plugin metadata is not a layout: {content[:40]!r}")
    if len(proto.rows) > MAX_ROWS or len(proto.columns) > MAX_COLUMNS:
        raise SchemaError(f"layout of {len(proto.rows)} rows, {len(proto.columns)} columns refused")
    rows = tuple(
        Row(
            row.name[:MAX_TEXT], row.layer[:MAX_TEXT], row.kind, tuple(row.shape),
            row.dtype, row.activation, row.initializer,
        )
        for row in proto.rows
    )
    columns = tuple(proto.columns)
    if len(set(columns)) != len(columns):
        raise SchemaError("layout with two columns of one name refused")
    return Layout(proto.group, rows, columns, proto.model, proto.version)


_FEW_ROWS: Final = 200
ROWS_AT_ONCE: Final = 16_384
"""Rows whose checksums are worked out together: what that needs fits a processor's cache."""


@cache
def _check_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What the first and what the last two of four bytes make of a CRC-32: uint32 `[65536]` each.
    """
    state = np.arange(65_536, dtype=np.uint32)
    for _ in range(16):
        state = np.where(state & 1, np.uint32(0xEDB88320), np.uint32(0)) ^ (state >> 1)
    return state[state & 0xFFFF] ^ (state >> 16), state


def _checks_of(columns: Iterable[NDArray[np.float32]], count: int) -> NDArray[np.uint32]:
    """Checksums of `count` rows whose values come column by column, `[count]` each."""
    first, last = _check_tables()
    state = np.full(count, 0xFFFFFFFF, dtype=np.uint32)
    half = np.empty(count, dtype=np.intp)
    changed = np.empty(count, dtype=np.uint32)
    # Without a temporary array, and with indices of the kind that indexing wants: half the time. No
    # index is beyond the tables; of the ways to treat one that is, "wrap" is looked at fastest.
    for column in columns:
        state ^= np.ascontiguousarray(column, dtype="<f4").reshape(count).view("<u4")
        np.bitwise_and(state, 0xFFFF, out=half)
        np.take(first, half, out=changed, mode="wrap")
        np.right_shift(state, 16, out=half)
        np.take(last, half, out=state, mode="wrap")
        state ^= changed
    return ~state & np.uint32(0xFFFFFF)


def row_checks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Checksum of each row of `values` `[..., C]` as float32 `[...]`: 24 bits, exact in float32.

    The lower 24 bits of the CRC-32 of the row's little-endian bytes; the check column itself is not
    among them.

    >>> row_checks(np.array([[1.0, 2.0]], dtype=np.float32)) == [zlib.crc32(
    ...     np.array([1.0, 2.0], dtype="<f4").tobytes()) & 0xFFFFFF]
    array([ True])
    """
    table = np.ascontiguousarray(values, dtype="<f4")
    rows = table.reshape(int(np.prod(table.shape[:-1])), table.shape[-1])
    if len(rows) < _FEW_ROWS:
        checks = np.array([zlib.crc32(row.tobytes()) & 0xFFFFFF for row in rows], dtype=np.float32)
        return checks.reshape(table.shape[:-1])
    # Row by row, Python costs more than reading the file did: many rows at once, four bytes a step.
    checks = np.empty(len(rows), dtype=np.float32)
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        checks[begin : begin + ROWS_AT_ONCE] = _checks_of(part.T, len(part))
    return checks.reshape(table.shape[:-1])


def seal(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Append the check column: `[R, C]` -> `[R, C + 1]`."""
    table = np.ascontiguousarray(values, dtype=np.float32)
    return np.concatenate([table, row_checks(table)[:, None]], axis=1)


def unseal(layout: Layout, record: NDArray[Any]) -> NDArray[np.float32]:
    """Verify a record `[R, C]` against `layout` and its own checks; return it, check included.

    Raises:
        SchemaError: wrong dtype or shape, or a row whose checksum does not hold.
    """
    expected = (len(layout.rows), len(layout.columns))
    if record.dtype != np.float32 or record.shape != expected:
        raise SchemaError(
            f"record of {record.dtype} {list(record.shape)}, expected float32 {list(expected)}"
        )
    if layout.columns and layout.columns[-1] == "check":
        wrong = np.flatnonzero(row_checks(record[:, :-1]) != record[:, -1])
        if wrong.size:
            raise SchemaError(f"checksum of row {int(wrong[0])} does not hold: damaged record")
    return record


def intact(values: NDArray[np.float32], checks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of the records `values` `[S, R, C]` match their `checks` `[S, R]`; `[S]`.

    As `row_checks`, but fastest where each column lies together in memory.
    """
    holds = np.empty(len(values), dtype=np.bool_)
    at_once = max(1, ROWS_AT_ONCE // max(1, values.shape[1]))
    for begin in range(0, len(values), at_once):
        part, told = values[begin : begin + at_once], checks[begin : begin + at_once]
        found = _checks_of((part[:, :, c] for c in range(part.shape[2])), told.size)
        holds[begin : begin + at_once] = (found.reshape(told.shape) == told).all(axis=1)
    return holds


def layout_of(group: str, rows: Sequence[Row], columns: Sequence[str], model: str = "") -> Layout:
    """A layout for writing: `columns` are statistics; the check column is added."""
    return Layout(group, tuple(rows), (*columns, "check"), model)
