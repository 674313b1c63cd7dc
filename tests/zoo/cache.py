"""Where recordings are kept between runs of the zoo, so that a changed rule trains nothing again.

A folder's name is a digest of everything that a recording depends on: the program, the data and
networks it is made of, the versions, and the recorder. Rules are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable, Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from zoo.recording import FACTS
from zoo.task import Task

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(__file__).resolve().parent / ".cache"
PARTS = ("program.py", "data.py", "networks.py", "recording.py")
RECORDER = (
    "tb_convergence/training", "tb_convergence/core/schema.py",
    "tb_convergence/core/statistics.py", "tb_convergence/core/reductions.py",
)
PACKAGES = ("keras", "numpy", "scikit-learn")


def digest(texts: Iterable[str]) -> str:
    """Twelve hexadecimal digits."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


@cache
def recorder() -> str:
    """Digest of the recorder's source."""
    files = [path for part in RECORDER for path in _sources(ROOT / part)]
    return digest(path.read_text() for path in files)


def _sources(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def versions() -> dict[str, str]:
    """Of what a recording depends on, by name."""
    from tb_convergence import __version__  # noqa: PLC0415 - after the path is set

    found = {"tb_convergence": __version__, "Python": platform.python_version()}
    for name in ("tensorflow", "tensorflow-cpu"):
        try:
            found["TensorFlow"] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found | {name: metadata.version(name) for name in PACKAGES}


@cache
def _common() -> str:
    here = Path(__file__).parent
    return digest([*((here / part).read_text() for part in PARTS), json.dumps(versions())])


class Cache:
    """Recordings by task.

    Args:
        folder: where they are.
        content: source of a task's program.
        any_recorder: whether what an earlier recorder wrote may be used where nothing newer is.
    """

    def __init__(
        self, folder: Path, content: Callable[[Task], str], *, any_recorder: bool = False
    ) -> None:
        self.folder = folder
        self._content = content
        self._any = any_recorder

    def path(self, task: Task) -> Path:
        """Folder of the recording, whether or not it exists."""
        name = f"{task.name.replace('/', '-')}-{task.twin}-{task.seed}"
        program = digest([_common(), self._content(task)])
        exact = self.folder / f"{name}-{program}-{recorder()}"
        if self._any and not (exact / FACTS).is_file():
            for other in sorted(self.folder.glob(f"{name}-{program}-*")):
                if (other / FACTS).is_file():
                    return other
        return exact

    def facts(self, task: Task) -> dict[str, Any] | None:
        """How the training went; None where it is still to do."""
        path = self.path(task) / FACTS
        if not path.is_file():
            return None
        return json.loads(path.read_text()) | {"recorder": path.parent.name.rsplit("-", 1)[1]}
