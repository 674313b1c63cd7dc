"""The page's files come from a fixed table; no request reaches the file system."""

from __future__ import annotations

import builtins
import io
import os
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from tb_convergence.serving import assets
from tests.serving import contract
from tests.serving.contract import PREFIX
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource

FILES = {
    "index.js": b"export function render() {}\n",
    "index.css": b"body { margin: 0 }\n",
    "THIRD_PARTY_NOTICES.txt": b"licenses\n",
    "chunk-AB_12.js": b"export {};\n",
}


@pytest.fixture
def page(tmp_path: Path) -> Path:
    static = tmp_path / "static"
    static.mkdir()
    for name, content in FILES.items():
        (static / name).write_bytes(content)
    for name in (".sources", "secret", "notes.py", "a b.js", "ü.js", "index.js.orig", "-x.js"):
        (static / name).write_bytes(b"not served")
    (static / "folder.js").mkdir()
    (tmp_path / "outside.js").write_bytes(b"outside")
    (static / "large.js").write_bytes(b"x" * (assets.MOST_BYTES + 1))
    return static


def test_exactly_the_page_s_files_are_served(page: Path) -> None:
    assert set(assets.load(page)) == set(FILES)
    client = Client(build(SampleSource(), page))
    types = {"js": "text/javascript", "css": "text/css", "txt": "text/plain"}
    for name, content in FILES.items():
        response = client.get(f"{PREFIX}/{name}")
        assert response.status_code == 200
        contract.headers(response)
        assert response.get_data() == content
        assert response.content_type == f"{types[name.rpartition('.')[2]]}; charset=utf-8"
        assert "ETag" in response.headers


PATHS = [
    "", "/", "index.html", "index", "INDEX.JS", "index.js/", "index.js/x", "index.js%00",
    "index.js%20", "./index.js.orig", ".sources", "../outside.js", "..%2foutside.js",
    "%2e%2e/outside.js", "%2e%2e%2foutside.js", "..%5coutside.js", "%5c%5cserver%5cshare",
    "....//outside.js", "%252e%252e/outside.js", "/etc/passwd", "%2fetc%2fpasswd",
    "C:%5cWindows%5cwin.ini", "file:///etc/passwd", "index.js;x", "~root", "static/index.js",
    "%00", "%ff%fe", "a" * 10_000, "../" * 500 + "etc/passwd", "__init__.py", "loader.py",
    "con", "index.js%0d%0aX: y", "%c0%ae%c0%ae/outside.js",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leaves_the_table(
    page: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(build(SampleSource(), page))

    def refuse(*args: Any, **_: Any) -> Any:
        raise AssertionError(f"a request opened {args}")

    with monkeypatch.context() as patched:
        for owner, name in ((builtins, "open"), (io, "open"), (os, "open"), (Path, "read_bytes")):
            patched.setattr(owner, name, refuse)
        response = client.get(f"{PREFIX}/{path}")
    if path in {"index.js/", "index.js;x"}:  # TensorBoard drops a trailing slash and parameters
        assert response.get_data() == FILES["index.js"]
    else:
        assert response.status_code == 404
        assert b"outside" not in response.get_data()


def test_without_a_bundle_the_tab_says_how_to_build_it(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        table = assets.load(folder)
        assert set(table) == {"index.js"}
        script = contract.gzip.decompress(table["index.js"].packed).decode()
        assert "export function render()" in script
        assert "tools/bundle.py" in script
        assert "innerHTML" not in script


def test_a_folder_that_cannot_be_read_costs_the_page_only() -> None:
    class Broken:
        def is_dir(self) -> bool:
            raise OSError("disk")

    assert set(assets.load(Broken())) == {"index.js"}  # type: ignore[arg-type]


def test_content_identifies_a_file(page: Path) -> None:
    before = assets.load(page)["index.js"].etag
    assert assets.load(page)["index.js"].etag == before
    (page / "index.js").write_bytes(b"export function render() { /* new */ }\n")
    assert assets.load(page)["index.js"].etag != before
