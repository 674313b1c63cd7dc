"""What is shipped: a source archive that needs no Node.js, and a wheel that shows the tab.

Everything here is real: the archive is built by the backend, the wheel from the archive, and
TensorBoard is started on what was installed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = "tb_convergence/serving/static/"
PAGE = {
    "index.js", "chunk.js", "later.js", "landscape.js", "experiments.js",
    "index.css", "later.css", "landscape.css", "experiments.css",
    "THIRD_PARTY_NOTICES.txt",
}
BUILD = "import sys, {backend} as b; print(b.build_{what}(sys.argv[1]))"


def build(what: str, source: Path, destination: Path, path: str) -> Path:
    """Call the backend as pip does, in the folder of the sources, with `path` as PATH.

    npm is told to be offline where PATH is empty: nothing may need it.
    """
    destination.mkdir()
    offline = {"npm_config_offline": "true", "npm_config_cache": str(destination / "none")}
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(source / "tools")}
    result = subprocess.run(
        [sys.executable, "-c", BUILD.format(backend="backend", what=what), str(destination)],
        cwd=source,
        env=environment if path else {**environment, **offline},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return destination / result.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive of the tracked files, built in a copy of them."""
    folder = tmp_path_factory.mktemp("archive")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / "checkout" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return build("sdist", folder / "checkout", folder / "dist", os.environ["PATH"])


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the unpacked archive with nothing on PATH."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    return build("wheel", source, folder / "dist", "")


def test_the_archive_holds_the_page_its_sources_and_the_tests(archive: Path) -> None:
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {STATIC + name for name in (*PAGE, ".sources")} <= names
    assert {"setup.py", "LICENSE", "tools/backend.py", "frontend/package-lock.json"} <= names
    assert {"tests/unit/test_layers.py", "demo/README.md", "docs/http_api.md"} <= names
    assert not [name for name in names if "node_modules" in name or "__pycache__" in name]


def test_the_wheel_holds_every_module_and_the_page_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    files = {name for name in names if ".dist-info/" not in name}
    modules = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tb_convergence").rglob("*.py")
    }
    assert files == {*modules, "tb_convergence/py.typed", *(STATIC + name for name in PAGE)}
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_s_page_is_the_archive_s(archive: Path, wheel: Path) -> None:
    with tarfile.open(archive) as packed, zipfile.ZipFile(wheel) as unpacked:
        for name in PAGE:
            (member,) = (m for m in packed.getmembers() if m.name.endswith(STATIC + name))
            file = packed.extractfile(member)
            assert file is not None
            assert file.read() == unpacked.read(STATIC + name)


def test_the_wheel_s_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = (n for n in packed.namelist() if n.endswith(".dist-info/METADATA"))
        (entries,) = (n for n in packed.namelist() if n.endswith(".dist-info/entry_points.txt"))
        text = packed.read(metadata).decode()
        points = packed.read(entries).decode()
    required = [line for line in text.splitlines() if line.startswith("Requires-Dist")]
    plain = sorted(line.split(": ")[1] for line in required if "extra ==" not in line)
    assert plain == ["numpy>=1.26", "protobuf", "tensorboard<3,>=2.15"]
    assert "Requires-Python: >=3.10" in text
    assert "License-Expression: Apache-2.0" in text
    assert "convergence = tb_convergence.serving.loader:ConvergenceLoader" in points
    assert "tb-convergence = tb_convergence.cli:main" in points


def test_no_lock_file_names_a_host() -> None:
    for lock in [*ROOT.glob("*/package-lock.json"), *ROOT.glob("tests/*/package-lock.json")]:
        packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
        assert [name for name, entry in packages.items() if "resolved" in entry] == []


def test_the_license_is_the_plain_apache_license() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with only the wheel's contents, to be put first on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(folder), str(wheel)], check=True)
    return folder


@pytest.fixture(scope="module", params=["true", "false"], ids=["data-server", "python"])
def server(
    request: pytest.FixtureRequest, installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[int]:
    """Port of a TensorBoard that finds the plugin only in the installed wheel."""
    folder = tmp_path_factory.mktemp("empty")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), f"--load_fast={request.param}"]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            try:
                get(port, "/data/plugins_listing")
                break
            except OSError:
                time.sleep(0.2)
        assert process.poll() is None, "TensorBoard ended at start-up"
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Status, content type and body of an address of the server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type", ""), response.read()
    finally:
        connection.close()


def test_tensorboard_lists_the_plugin_of_the_installed_wheel(server: int) -> None:
    status, _, body = get(server, "/data/plugins_listing")
    listing: dict[str, Any] = json.loads(body)
    assert status == http.client.OK
    assert listing["convergence"]["tab_name"] == "Convergence"
    assert listing["convergence"]["loading_mechanism"] == {
        "type": "IFRAME",
        "module_path": "/data/plugin/convergence/index.js",
    }


@pytest.mark.parametrize(("name", "kind"), [("index.js", "javascript"), ("index.css", "text/css")])
def test_tensorboard_serves_the_page_of_the_installed_wheel(
    server: int, installed: Path, name: str, kind: str
) -> None:
    status, content_type, body = get(server, f"/data/plugin/convergence/{name}")
    assert status == http.client.OK
    assert kind in content_type
    assert body == (installed / STATIC / name).read_bytes()
