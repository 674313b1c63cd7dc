"""A process that reads many runs has one heap for all of its threads."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

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
