"""Files of a hundred bytes that would take gigabytes to read: refused, told, in little memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile
from tensorboard.compat.proto import tensor_pb2

from tb_convergence.core import schema
from tb_convergence.core.schema import Row, layout_of

ROOT = Path(__file__).resolve().parents[2]
LAYOUT = layout_of("variables", (Row("w", "w", "kernel"),), ("gradient_norm",))
ROOM = 600 * 2**20


def bomb(*sizes: int) -> tensor_pb2.TensorProto:
    """One number that is said to fill a tensor of this shape: 4 GiB in twenty bytes."""
    shape = {"dim": [{"size": size} for size in sizes]}
    return tensor_pb2.TensorProto(dtype=1, tensor_shape=shape, float_val=[1.0])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize("loader", LOADERS)
def test_bombs_are_refused_beside_sound_runs(tmp_path: Path, loader: str) -> None:
    logs = tmp_path / "logs"
    with EventFile(logs / "good") as file:
        for step in range(5):
            file.record(LAYOUT, step, [[float(step)]])
    with EventFile(logs / "ours") as file:
        file.record(LAYOUT, 0, [[1.0]])
        file.tensor(LAYOUT.tag, 1, bomb(2**15, 2**15))
        file.tensor(schema.CONFIG_TAG, 1, bomb(2**30))
    with EventFile(logs / "histograms") as file:
        for step in range(3):
            file.tensor("gradients/w/kernel", step, bomb(2**30, 3), plugin="histograms")
            file.tensor("gradients/v/kernel", step, np.float64([[0, 1, 5]]), plugin="histograms")
    with EventFile(logs / "foreign") as file:
        file.tensor("convergence/variables/x", 0, bomb(2**15, 2**15), content=b"not ours")
        file.tensor("mesh", 0, bomb(2**15, 2**15), plugin="mesh")
    assert sum(path.stat().st_size for path in (logs / "foreign").iterdir()) < 500
    script = textwrap.dedent(f"""
        import resource
        from pathlib import Path
        from tb_convergence.reading import open_logdir
        from tb_convergence.reading.provider import read_folded
        from tb_convergence.reading.runs import fold_runs
        with open_logdir({str(logs)!r}, {loader!r}) as source:
            now = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
            resource.setrlimit(resource.RLIMIT_AS, (now + {ROOM}, now + {ROOM}))
            found = {{run.name: read_folded(source, run) for run in fold_runs(source.runs())}}
        assert found["good"].tables["variables"].low[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
        assert found["good"].skipped == ()
        assert found["ours"].tables["variables"].steps.tolist() == [0], found["ours"]
        assert [one.step for one in found["ours"].skipped] == [1, 1], found["ours"]
        (row,) = found["histograms"].tables["variables"].rows
        assert row.name == "v/kernel" and len(found["histograms"].skipped) == 1, row
        assert [one.tag for one in found["foreign"].skipped] == ["convergence/variables/x"]
        # Not ru_maxrss: that begins with what the process that started this one held.
        status = Path("/proc/self/status").read_text()
        print("peak", int(status.partition("VmHWM:")[2].split()[0]) // 1024)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[-1]) < 500, "MiB"
