"""How much memory may still be taken: of the machine, the container, the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tb_convergence.training.host import free_memory

MIB = 2**20


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 MiB free of 16, without containers."""
    files = {
        "MEMINFO": "MemTotal:       16384 kB\nMemAvailable:    8192 kB\n",
        "OWN_GROUP": "1:name=systemd:/old\n0::/jobs/mine\n",
        "OWN_SIZE": "1024 512 0 0 0 0 0\n",
    }
    for name, text in files.items():
        path = tmp_path / name.lower()
        path.write_text(text)
        monkeypatch.setattr(free_memory, name, path)
    groups = tmp_path / "groups"
    groups.mkdir()
    monkeypatch.setattr(free_memory, "GROUPS", groups)
    monkeypatch.setattr(free_memory, "_of_process", lambda: None)
    return groups


def limit(folder: Path, bytes_: str, used: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{bytes_}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


def test_without_limits_it_is_that_of_the_machine(machine: Path) -> None:
    assert free_memory.free_bytes() == 8 * MIB
    limit(machine / "jobs" / "mine", "max", 5 * MIB, 0)
    assert free_memory.free_bytes() == 8 * MIB


def test_the_narrowest_limit_counts_and_caches_give_way(machine: Path) -> None:
    limit(machine / "jobs" / "mine", str(6 * MIB), 3 * MIB, 1 * MIB)
    assert free_memory.free_bytes() == 4 * MIB
    limit(machine / "jobs", str(20 * MIB), 19 * MIB, 0)
    assert free_memory.free_bytes() == 1 * MIB
    limit(machine / "jobs", str(20 * MIB), 25 * MIB, 0)
    assert free_memory.free_bytes() == 0


def test_a_system_that_does_not_tell(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "MEMINFO", machine / "none")
    monkeypatch.setattr(free_memory, "OWN_GROUP", machine / "none")
    assert free_memory.free_bytes() is None


def test_the_limit_of_the_process_counts() -> None:
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(free_memory.OWN_SIZE.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    soft = used + 900 * MIB
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    try:
        found = free_memory.free_bytes()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert found is not None
    assert 0 <= found <= 900 * MIB
