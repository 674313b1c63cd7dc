"""Query strings, declared and validated: a request either means one thing or is refused.

The query string is decoded here and not by the web framework, which replaces invalid UTF-8 silently
and lets the first of several values win.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from tb_convergence.reading.patterns import TagPatternError, TagRule, parse_tags
from tb_convergence.serving.limits import LIMITS, Limits, quoted

_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class RefusedError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: HTTP status.
        message: for the person who asked; holds no path and no traceback.
        headers: further headers of the answer.
    """

    def __init__(
        self, status: int, message: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Text:
    """A text parameter with any characters; required if it has no `default`."""

    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number in [least, most]; required if it has no `default`."""

    name: str
    least: int
    most: int
    default: int | None = None


Parameter = Text | Whole


@dataclass(frozen=True, slots=True)
class Values:
    """The validated parameters of a request."""

    texts: Mapping[str, str]
    numbers: Mapping[str, int]


def parse(
    query: str, declared: tuple[Parameter, ...], limits: Limits = LIMITS
) -> Values:
    """Values of the `declared` parameters in a raw query string.

    Undeclared parameters are ignored: TensorBoard adds its own to any address.

    Args:
        query: as in WSGI: bytes decoded as latin-1.

    Raises:
        RefusedError: 400, when a parameter is missing, repeated, empty, too long, not UTF-8, or
            not a number in its range.

    >>> parse("run=a%2Fb&points=20", (Text("run"), Whole("points", 10, 2000, 1000)))
    Values(texts={'run': 'a/b'}, numbers={'points': 20})
    """
    if len(query) > limits.query_bytes:
        raise RefusedError(
            400,
            f"the query is {len(query)} bytes long; at most {limits.query_bytes} are accepted",
        )
    names = {parameter.name for parameter in declared}
    given: dict[str, str] = {}
    for part in query.split("&"):
        raw_name, _, raw_value = part.partition("=")
        name = _decoded(raw_name, strict=False)
        if name not in names:
            continue
        if name in given:
            raise RefusedError(400, f"parameter {name!r} is given more than once")
        given[name] = _decoded(raw_value, strict=True, name=name)
    texts: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for parameter in declared:
        value = given.get(parameter.name)
        if isinstance(parameter, Whole):
            numbers[parameter.name] = _whole(parameter, value, limits)
        else:
            texts[parameter.name] = _text(parameter, value, limits)
    return Values(texts, numbers)


def _decoded(raw: str, strict: bool, name: str = "") -> str:
    octets = unquote_to_bytes(raw.replace("+", " ").encode("latin-1", "replace"))
    try:
        return octets.decode("utf-8", "strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise RefusedError(
            400, f"parameter {name!r} is not valid UTF-8: {quoted(octets[:100])}"
        ) from error


def _text(parameter: Text, value: str | None, limits: Limits) -> str:
    if value is None and parameter.default is not None:
        return parameter.default
    if not value:
        state = "missing" if value is None else "empty"
        raise RefusedError(400, f"parameter {parameter.name!r} is {state}")
    if len(value) > limits.parameter_characters:
        raise RefusedError(
            400,
            f"parameter {parameter.name!r} is {len(value)} characters long; at most "
            f"{limits.parameter_characters} are accepted: {quoted(value)}",
        )
    return value


def _whole(parameter: Whole, value: str | None, limits: Limits) -> int:
    if value is None:
        if parameter.default is None:
            raise RefusedError(400, f"parameter {parameter.name!r} is missing")
        return parameter.default
    if _WHOLE_NUMBER.fullmatch(value) and parameter.least <= int(value) <= parameter.most:
        return int(value)
    raise RefusedError(
        400,
        f"parameter {parameter.name!r} must be a whole number from {parameter.least} to "
        f"{parameter.most}, not {quoted(value, limits)}",
    )


def rules(text: str) -> tuple[TagRule, ...]:
    """The tag rules in the parameter `tags`.

    Raises:
        RefusedError: 400, when it is no list of rules, or a longer one than is accepted.
    """
    try:
        return parse_tags(text)
    except TagPatternError as error:
        raise RefusedError(400, f"parameter 'tags': {error}") from error
