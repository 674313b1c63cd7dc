"""A finished answer, compressed once for everybody who asks."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer.

    Attributes:
        packed: the body, gzip-compressed.
        content_type: of the body before compression.
        etag: identifies the body; weak, because it may be sent with or without compression.
    """

    packed: bytes
    content_type: str
    etag: str


def reply(body: bytes, content_type: str = JSON) -> Reply:
    """`body` as a reply."""
    digest = hashlib.sha256(body).hexdigest()[:20]
    # The lowest level: float32 noise does not get smaller by trying harder, only slower.
    return Reply(gzip.compress(body, compresslevel=1, mtime=0), content_type, f'W/"{digest}"')
