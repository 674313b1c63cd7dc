"""The recorder writes below the folder it is given, and contacts nobody."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = textwrap.dedent("""
    import json, os, sys
    import numpy as np
    import tb_convergence.training.loops.health_log
    from tb_convergence import log_health
    folder, seen = sys.argv[1], []

    def watch(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = mode and set(str(mode)) & set("wax+") or (flags or 0) & (
                os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and not isinstance(path, int):
                seen.append([event, os.path.abspath(os.fsdecode(path))])
        elif event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink"):
            seen.append([event, os.path.abspath(os.fsdecode(arguments[0]))])
        elif event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto",
                               "subprocess", "os.system", "os.exec", "urllib")):
            seen.append([event, repr(arguments)])

    sys.addaudithook(watch)
    rng = np.random.default_rng(0)
    weights = {"../../outside/kernel": rng.normal(size=(4, 3)), "/etc/passwd": np.ones(3)}
    for step in range(40):
        gradients = {name: 0.1 * value for name, value in weights.items()}
        log_health(
            folder, step, variables=weights, gradients=gradients, loss=1.0 / (step + 1))
    print(json.dumps(seen))
""")


def test_below_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "run"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], cwd=ROOT, capture_output=True, text=True,
        check=False, timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert [path for event, path in seen if event == "open"], "it did write"
    outside = [one for one in seen if not one[1].startswith(str(tmp_path / "logs"))
               or one[0].startswith(("socket", "subprocess"))]
    assert outside == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs"]
