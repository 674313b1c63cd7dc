"""PEP 517 backend: setuptools', plus Node.js as a build requirement when, and only when, needed.

Needed means: the page has to be built (see `bundle.py`) and no Node.js with npm is on PATH. The
wheel of Node.js weighs 60 MB; nobody who has Node.js, or a source archive, should download it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bundle
import toolchain
from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - the hooks that stay setuptools' own

Settings = Mapping[str, Any] | None


def _node() -> list[str]:
    return [] if bundle.is_current() or toolchain.on_path() else [toolchain.WHEEL]


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Setuptools' own requirements, and Node.js if needed."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: Settings = None) -> list[str]:
    """Setuptools' own requirements, and Node.js if needed."""
    return [*build_meta.get_requires_for_build_sdist(config_settings), *_node()]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Setuptools' own requirements, and Node.js if needed."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_node()]
