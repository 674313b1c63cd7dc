"""Tensors from the data server, against TensorBoard's own reading of them; the one heap."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto import tensor_pb2
from tensorboard.data.provider import RunTagFilter
from tensorboard.util import tensor_util

from tb_convergence.reading import loaders, open_logdir
from tb_convergence.reading.data_server import alike
from tests.serving.event_logs import write
from tests.serving.samples import trained


def proto(array: Any, **changes: Any) -> tensor_pb2.TensorProto:
    made = tensor_util.make_tensor_proto(array)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


TABLE = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("tensors", [
    [proto(TABLE)],
    [proto(TABLE), proto(-TABLE), proto(TABLE * np.nan)],
    [proto(np.arange(4, dtype=np.float32))] * 3,
])
def test_floats_of_one_shape_are_what_tensorboard_makes_of_them(tensors: list[Any]) -> None:
    found = alike(tensors)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [tensor_util.make_ndarray(one) for one in tensors])


@pytest.mark.parametrize("tensors", [
    [],
    [proto("text")],
    [proto(TABLE.astype(np.float64))],
    [proto(TABLE), proto(TABLE.astype(np.int32))],
    [proto(TABLE), proto(TABLE.T)],
    [proto(TABLE), proto(TABLE, tensor_content=b"")],
    [proto(TABLE), proto(TABLE, tensor_content=TABLE.tobytes()[:-4])],
    [proto(np.float32(1.0)), proto(TABLE)],
    [proto(np.zeros((0, 3), np.float32))],
], ids=range(9))
def test_all_others_are_left_to_tensorboard(tensors: list[Any]) -> None:
    assert alike(tensors) is None


def test_bytes_that_do_not_fit_their_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"reshape|multiple"):
        alike([proto(TABLE, tensor_content=b"\0" * 13)] * 2)


@pytest.mark.skipif(loaders.fast_binary() is None, reason="no data server for this platform")
def test_answers_are_tensorboard_s_own(tmp_path: Path) -> None:
    write(tmp_path, trained("a", layers=2, records=30))
    write(tmp_path, trained("b", layers=3, records=20))
    with open_logdir(tmp_path, "fast") as source:
        ours = source.provider._provider  # without what makes it answer at once
        theirs = super(type(ours), ours).read_tensors
        for only in ({}, {"runs": ["b"]}, {"runs": ["no such run"]}):
            asked = {
                "experiment_id": "", "plugin_name": "convergence", "downsample": 1000,
                "run_tag_filter": RunTagFilter(**only) if only else None,
            }
            found = ours.read_tensors(source.context, **asked)
            assert said(found) == said(theirs(source.context, **asked))
            assert set(found) == ({"a", "b"} if not only else {"b"} & set(only["runs"]))


def said(answer: Any) -> list[Any]:
    return sorted(
        (run, tag, datum.step, datum.wall_time, datum.numpy.dtype.str, datum.numpy.shape,
         repr(datum.numpy.tolist()))
        for run, tags in answer.items() for tag, data in tags.items() for datum in data
    )


HEAPS = """
import ctypes, tempfile, threading
from tb_convergence.reading.heap import share_one_heap
if {asked}:
    share_one_heap()
kept, gate = [], threading.Barrier(9)
def hold():
    kept.append([bytearray(5_000) for _ in range(50)])
    gate.wait()
for thread in [threading.Thread(target=hold) for _ in range(8)]:
    thread.start()
gate.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="nothing to ask of this system")
def test_all_threads_of_a_process_share_a_heap() -> None:
    one, several = (
        int(subprocess.run([sys.executable, "-c", HEAPS.format(asked=asked)], check=True,
                           capture_output=True, text=True).stdout)
        for asked in (True, False)
    )
    assert one == 1
    assert several > 1
