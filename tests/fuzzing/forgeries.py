"""Events that parse and mean nothing good: fields, tensors, metadata and whole runs, made up."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2
from tensorboard.util import tensor_util

from tb_convergence.core import schema
from tb_convergence.core.schema import Layout, Row
from tests.fuzzing.originals import CONFIG, Original, event_of, frame

Event: TypeAlias = event_pb2.Event
Dice: TypeAlias = random.Random

NAMES: Final = (
    "", "\x00", "__proto__", "constructor", "../../etc/passwd", "<img src=x onerror=alert(1)>",
    "\u202egnp.exe", "a" * 10_000, "=cmd()", "\ud7ff\U0001f99c", "a/b/c", "convergence/config",
    "loss", "x\ny", "gradients/x", "x/histogram", "nan",
)
STEPS: Final = (-1, 0, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63))
CLOCKS: Final = (0.0, -1.0, 1e300, -1e300, float("inf"), 253402300800.0, 5e-324)
"""No NaN: the data server takes an event with such a clock for damage, the other loader does not;
that is a case of its own in the tests of the readers."""
VALUES: Final = (
    0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-45, 3.4e38, -3.4e38, 1e-38,
    0.5, 2.0, 1e30, 100.0,
)
SIZES: Final = (-(2**63), -2, -1, 0, 1, 2, 3, 5, 1000, 2**20, 2**40, 2**63 - 1)


# One field ----------------------------------------------------------------------------------------


def field(dice: Dice, event: Event) -> None:
    """Change one field of an event, or what kind of event it is."""
    value = event.summary.value[0] if event.summary.value else event.summary.value.add()
    dice.choice(_FIELDS)(dice, event, value)


def _plain(event: Event) -> None:
    """Another field of the `oneof`: the summary goes."""
    event.file_version = "brain.Event:2"


_FIELDS: Final[tuple[Callable[[Dice, Event, Any], object], ...]] = (
    lambda dice, event, value: setattr(event, "step", dice.choice(STEPS)),
    lambda dice, event, value: setattr(event, "wall_time", dice.choice(CLOCKS)),
    lambda dice, event, value: setattr(value, "tag", dice.choice(NAMES)),
    lambda dice, event, value: setattr(value, "node_name", dice.choice(NAMES)),
    lambda dice, event, value: value.ClearField("tag"),
    lambda dice, event, value: setattr(value, "simple_value", dice.choice(VALUES)),
    lambda dice, event, value: event.summary.value.extend([value] * dice.choice((1, 50))),
    lambda dice, event, value: event.ClearField("summary"),
    lambda dice, event, value: _plain(event),
    lambda dice, event, value: setattr(event, "graph_def", dice.randbytes(50)),
    lambda dice, event, value: setattr(event, "meta_graph_def", dice.randbytes(50)),
    lambda dice, event, value: setattr(event.log_message, "message", dice.choice(NAMES)),
    lambda dice, event, value: setattr(event.session_log, "status", dice.randrange(5)),
    lambda dice, event, value: setattr(event.tagged_run_metadata, "run_metadata", b"\xff" * 20),
    lambda dice, event, value: value.image.MergeFromString(b""),
    lambda dice, event, value: value.audio.MergeFromString(b""),
    lambda dice, event, value: _histogram(dice, value.histo),
)


def _histogram(dice: Dice, histogram: summary_pb2.HistogramProto) -> None:
    limits = [dice.choice(VALUES) for _ in range(dice.choice((0, 1, 3, 40)))]
    histogram.bucket_limit[:] = limits if dice.random() < 0.5 else sorted(limits, key=repr)
    histogram.bucket[:] = [dice.choice((0.0, 1.0, -1.0, 1e300, float("nan"), 7.0)) for _ in
                           range(dice.choice((0, len(limits), len(limits), len(limits) + 1)))]
    for name in ("min", "max", "num", "sum", "sum_squares"):
        setattr(histogram, name, dice.choice(VALUES))


# A tensor -----------------------------------------------------------------------------------------


def tensor(dice: Dice, event: Event) -> None:
    """Change what a tensor says it is, or what it holds."""
    value = event.summary.value[0] if event.summary.value else event.summary.value.add(tag="t")
    proto = value.tensor
    for _ in range(dice.choice((1, 1, 2))):
        dice.choice(_TENSORS)(dice, proto)
    _bounded(proto)


def _content(dice: Dice, proto: tensor_pb2.TensorProto) -> None:
    data = bytearray(proto.tensor_content)
    at = dice.randrange(len(data) + 1)
    change = dice.randrange(4)
    if change == 0:
        del data[at:]
    elif change == 1:
        data += dice.randbytes(dice.choice((1, 3, 4, 1000)))
    elif change == 2:
        data[at : at + 4] = np.float32(dice.choice(VALUES)).tobytes()
    else:
        data[at : at + 1] = dice.randbytes(1)
    proto.tensor_content = bytes(data)


def _other(dice: Dice, proto: tensor_pb2.TensorProto) -> None:
    rank = dice.randrange(4)
    shape = tuple(dice.choice((0, 1, 2, 3, 4, 16)) for _ in range(rank))
    dtype = dice.choice((np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_,
                         np.complex64, np.uint16))
    array: Any = np.full(shape, dice.choice((0, 1, 2))).astype(dtype)
    if dice.random() < 0.2:
        array = dice.choice((b"\xff\x00", "text", [b"a", b"b"], "{}", json.dumps(CONFIG)))
    proto.CopyFrom(tensor_util.make_tensor_proto(array))


_TENSORS: Final[tuple[Callable[[Dice, tensor_pb2.TensorProto], object], ...]] = (
    _content,
    _content,
    _other,
    _other,
    lambda dice, proto: setattr(proto, "dtype", dice.choice((0, 1, 2, 3, 7, 9, 14, 19, 20, 99,
                                                             101, -1))),
    lambda dice, proto: proto.tensor_shape.dim.add(size=dice.choice(SIZES)),
    lambda dice, proto: proto.tensor_shape.ClearField("dim"),
    lambda dice, proto: setattr(proto.tensor_shape, "unknown_rank", True),
    lambda dice, proto: [setattr(size, "size", dice.choice(SIZES))
                         for size in proto.tensor_shape.dim],
    lambda dice, proto: proto.ClearField("tensor_content"),
    lambda dice, proto: proto.float_val.extend([dice.choice(VALUES)] * dice.choice((1, 5))),
    lambda dice, proto: proto.string_val.append(dice.randbytes(20)),
    lambda dice, proto: proto.half_val.append(dice.choice((0, 31744, 70000))),
    lambda dice, proto: setattr(proto, "version_number", 2**31 - 1),
)


def _bounded(proto: tensor_pb2.TensorProto) -> None:
    """Keep shapes that can be allocated small: what a bomb does is a test of its own."""
    count = 1
    for size in proto.tensor_shape.dim:
        count *= size.size
        if 2**22 < count < 2**52:
            size.size = 3


# Metadata -----------------------------------------------------------------------------------------


def metadata(dice: Dice, event: Event) -> None:
    """Change what the summary says of itself."""
    value = event.summary.value[0] if event.summary.value else event.summary.value.add(tag="t")
    about = value.metadata
    content = bytearray(about.plugin_data.content)
    change = dice.randrange(9)
    if change == 0:
        about.plugin_data.plugin_name = dice.choice(
            ("", "convergence", "scalars", "histograms", "mesh", "CONVERGENCE", "\x00", "__proto__")
        )
    elif change == 1:
        about.plugin_data.content = dice.randbytes(dice.choice((0, 1, 20, 1000)))
    elif change == 2:
        about.data_class = dice.choice((0, 1, 2, 3, 4, 77))
    elif change == 3:
        about.display_name = dice.choice(NAMES)
        about.summary_description = dice.choice(NAMES)
    elif change == 4:
        value.ClearField("metadata")
    elif change == 5:
        about.plugin_data.content = _other_layout(dice, bytes(content))
    elif content:
        at = dice.randrange(len(content))
        content[at : at + dice.choice((0, 1, 4))] = dice.randbytes(dice.choice((1, 4)))
        about.plugin_data.content = bytes(content)


def _other_layout(dice: Dice, content: bytes) -> bytes:
    """A layout that decodes, and is not the one of its tag."""
    try:
        layout = schema.decode_layout(content)
    except schema.SchemaError:
        return b"\x08\x01\x12\x01x"
    return schema.encode_layout(_forged(dice, layout))


# A run that is made up from end to end ------------------------------------------------------------


def run(dice: Dice, origin: Original) -> bytes:
    """Layouts, records and a configuration that are well-formed, sealed, and absurd."""
    forged: dict[str, Layout] = {}
    frames = [origin.frames[0]]
    share = dice.choice((0.02, 0.2, 1.0))
    values = dice.choice((VALUES, VALUES, (float("nan"),), (0.0,), (3.4e38, -3.4e38)))
    change_layouts = dice.random() < 0.7
    for payload in origin.events[1:]:
        event = event_of(payload)
        value = event.summary.value[0]
        layout = forged.get(value.tag)
        if layout is None and value.metadata.plugin_data.content:
            layout = schema.decode_layout(value.metadata.plugin_data.content)
            if change_layouts:
                layout = _forged(dice, layout)
            forged[value.tag] = layout
        if layout is not None:
            _rewrite(dice, event, layout, values, share)
        elif value.tag == schema.CONFIG_TAG:
            _configure(dice, event)
        elif dice.random() < share:
            value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.float32(dice.choice(values))))
        if dice.random() < 0.02:
            event.step = dice.choice(STEPS)
        if dice.random() < 0.02:
            event.wall_time = dice.choice(CLOCKS)
        frames.append(frame(event.SerializeToString()))
    if dice.random() < 0.1:
        part = frames[1:]
        dice.shuffle(part)
        frames[1:] = part
    return b"".join(frames)


def _forged(dice: Dice, layout: Layout) -> Layout:
    rows, columns = list(layout.rows), list(layout.columns[:-1])
    for _ in range(dice.choice((1, 2, 4))):
        change = dice.randrange(10)
        if change == 0 and rows:
            rows[dice.randrange(len(rows))] = _row(dice)
        elif change == 1:
            rows += [_row(dice)] * dice.choice((1, 2, 30))
        elif change == 2 and rows:
            del rows[dice.randrange(len(rows)) :]
        elif change == 3:
            dice.shuffle(columns)
        elif change == 4 and columns:
            del columns[dice.randrange(len(columns))]
        elif change == 5:
            columns.append(f"{dice.choice(NAMES)[:200]}{len(columns)}")
        elif change == 6 and columns:
            columns[0] = dice.choice(("check", "loss", "metric/" + dice.choice(NAMES)[:100]))
        elif change == 7:
            layout = replace(layout, group=dice.choice((*NAMES, "variables", "run", "epoch",
                                                        "inputs", "activations",
                                                        "magnitudes")) or "x")
        elif change == 8:
            layout = replace(layout, model=dice.choice(NAMES))
        else:
            layout = replace(layout, version=dice.choice((0, 1, 1, 2, -1, 2**31 - 1)))
    return replace(layout, rows=tuple(rows), columns=(*columns, "check"))


def _row(dice: Dice) -> Row:
    return Row(
        dice.choice(NAMES), dice.choice(NAMES),
        dice.choice(("kernel", "bias", "output", "input", "target", "prediction", "embedding",
                     "gamma", "", "no such kind", *NAMES)),
        tuple(dice.choice((-1, 0, 1, 64, 2**62)) for _ in range(dice.randrange(4))),
        dice.choice(("float32", "int64", "", *NAMES)),
        dice.choice(("relu", "softmax", "sigmoid", "linear", "", *NAMES)),
        dice.choice(("Zeros", "", *NAMES)),
    )


def _rewrite(
    dice: Dice, event: Event, layout: Layout, values: tuple[float, ...], share: float
) -> None:
    value = event.summary.value[0]
    old = tensor_util.make_ndarray(value.tensor)
    shape = (len(layout.rows), len(layout.columns) - 1)
    table = np.zeros(shape, dtype=np.float32)
    rows, columns = min(shape[0], old.shape[0]), min(shape[1], old.shape[1] - 1)
    table[:rows, :columns] = old[:rows, :columns]
    for index in range(table.size):
        if dice.random() < share:
            table.flat[index] = dice.choice(values)
    value.tag = layout.tag if layout.group else value.tag
    if value.metadata.plugin_data.content:
        value.metadata.plugin_data.content = schema.encode_layout(layout)
    value.tensor.CopyFrom(tensor_util.make_tensor_proto(schema.seal(table)))


ANYTHING: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 2**70, 1.5, 1e308, float("nan"), float("inf"), "", "relu", "Adam", "mse",
    NAMES[5], "x" * 5_000, [], [None], [[1]], {}, {"class": 3}, {"name": "x"}, [{"name": []}],
)


def _configure(dice: Dice, event: Event) -> None:
    """Put anything in the place of anything."""
    document: Any = copy.deepcopy(CONFIG)
    for _ in range(dice.choice((1, 3, 10))):
        _replace(dice, document)
    text = json.dumps(document)
    event.summary.value[0].tensor.CopyFrom(tensor_util.make_tensor_proto(text))


def _replace(dice: Dice, part: Any) -> None:
    keys: Any = list(part) if isinstance(part, dict) else range(len(part))
    if not keys:
        return
    key = dice.choice(keys)
    if isinstance(part[key], (dict, list)) and part[key] and dice.random() < 0.75:
        _replace(dice, part[key])
    else:
        part[key] = copy.deepcopy(dice.choice(ANYTHING))
