"""The page's files: a table of names and bytes, read once from the package.

A request only ever picks an entry of the table; no path is made from it.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")

ENTRY: Final = "index.js"
"""The module TensorBoard loads; always in the table."""

CONTENT_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "svg": "image/svg+xml; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
"""By file name's ending; a file of another kind is not served."""

MOST_BYTES: Final = 8 * 1024 * 1024
"""A larger file is not ours."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+", re.ASCII)

_NOT_BUILT: Final = """\
// Stands in for the page, which has not been built in this source checkout.
export function render() {
  const box = document.createElement("div");
  box.setAttribute("role", "alert");
  box.style.cssText = "font: 15px/1.6 system-ui, sans-serif; max-width: 44em; margin: 3em auto";
  const lines = [
    "The page of the Convergence plugin has not been built.",
    "This is a source checkout: run `python tools/bundle.py` at its root (it needs Node.js 20 or " +
      "newer), or install the package with `pip install .`, then start TensorBoard again.",
    "A released wheel contains the page. The command line works without it: " +
      "`tb-convergence diagnose LOGDIR`.",
  ];
  for (const line of lines) {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    box.append(paragraph);
  }
  document.body.replaceChildren(box);
}
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: gzip-compressed bytes, content type, and a tag that changes with the content."""

    packed: bytes
    content_type: str
    etag: str


def load(folder: Traversable | None = None) -> dict[str, Asset]:
    """The table of all files that are served, by name. Never raises.

    Args:
        folder: where they lie; by default the package's own `static` folder.
    """
    table: dict[str, Asset] = {}
    try:
        place = folder or resources.files("tb_convergence.serving") / "static"
        for file in place.iterdir() if place.is_dir() else ():
            content_type = CONTENT_TYPES.get(file.name.rpartition(".")[2])
            if content_type is None or not _NAME.fullmatch(file.name) or not file.is_file():
                continue
            content = file.read_bytes()
            if len(content) <= MOST_BYTES:
                table[file.name] = _asset(content, content_type)
    except Exception:
        _logger.exception("convergence: the page's files cannot be read")
    if ENTRY not in table:
        table[ENTRY] = _asset(_NOT_BUILT.encode(), CONTENT_TYPES["js"])
    return table


def _asset(content: bytes, content_type: str) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:20]
    return Asset(gzip.compress(content, mtime=0), content_type, f'W/"{digest}"')
