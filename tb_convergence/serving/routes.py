"""HTTP: which address takes which parameters, and how an answer or a refusal is sent.

TensorBoard checks no method and turns exceptions into plain text; every route here goes through
`_application`, so that methods, validation, caching headers and errors are the same everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from werkzeug.http import unquote_etag
from werkzeug.wrappers import Request, Response

from tb_convergence.serving.assets import Asset
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.parameters import (
    Parameter,
    RefusedError,
    Text,
    Values,
    Whole,
    parse,
    rules,
)
from tb_convergence.serving.payloads import SCHEMA
from tb_convergence.serving.replies import JSON, Reply
from tb_convergence.serving.service import Service
from tb_convergence.serving.source import Scope
from tb_convergence.serving.strict_json import encode

_logger: Final = logging.getLogger("tensorboard.plugins.convergence")

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Answer = Callable[[Service, Scope, Values], Reply]

METHODS: Final = ("GET", "HEAD")
RETRY_SECONDS: Final = 2


@dataclass(frozen=True, slots=True)
class Route:
    """One address: its parameters, and the service's answer."""

    path: str
    parameters: tuple[Parameter, ...]
    answer: Answer


_RUN: Final = Text("run")
_WITH: Final = Text("with")
_GROUP: Final = Text("group")
_POINTS: Final = Whole("points", LIMITS.points_least, LIMITS.points_most, LIMITS.points_default)
_WIDTH: Final = Whole("width", 1, LIMITS.width_most, LIMITS.width_default)
_ROW: Final = Whole("row", 0, 10**8)
_OFFSET: Final = Whole("offset", 0, 10**8, 0)
_TAGS: Final = Text("tags", "")
"""What histograms mean to the person who asks; every route that reads runs takes it."""

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "/runs", (_OFFSET, _TAGS),
        lambda service, scope, given: service.runs(scope, given.numbers["offset"]),
    ),
    Route(
        "/findings", (_RUN, _TAGS),
        lambda service, scope, given: service.findings(scope, given.texts["run"]),
    ),
    Route(
        "/series", (_RUN, _POINTS, _TAGS),
        lambda service, scope, given: service.series(
            scope, given.texts["run"], given.numbers["points"]
        ),
    ),
    Route(
        "/layers", (_RUN, _OFFSET, _TAGS),
        lambda service, scope, given: service.layers(
            scope, given.texts["run"], given.numbers["offset"]
        ),
    ),
    Route(
        "/heatmap",
        (_RUN, _GROUP, Text("metric"), _WIDTH, _TAGS),
        lambda service, scope, given: service.heatmap(
            scope, given.texts["run"], given.texts["group"], given.texts["metric"],
            given.numbers["width"],
        ),
    ),
    Route(
        "/layer", (_RUN, _GROUP, _ROW, _POINTS, _TAGS),
        lambda service, scope, given: service.layer(
            scope, given.texts["run"], given.texts["group"], given.numbers["row"],
            given.numbers["points"],
        ),
    ),
    Route(
        "/histogram", (_RUN, _GROUP, _ROW, _WIDTH, _TAGS),
        lambda service, scope, given: service.histogram(
            scope, given.texts["run"], given.texts["group"], given.numbers["row"],
            given.numbers["width"],
        ),
    ),
    Route(
        "/experiments", (_RUN, _TAGS),
        lambda service, scope, given: service.experiments(scope, given.texts["run"]),
    ),
    Route(
        "/landscapes", (_RUN, _TAGS),
        lambda service, scope, given: service.landscapes(scope, given.texts["run"]),
    ),
    Route(
        "/landscape", (_RUN, Text("name"), _TAGS),
        lambda service, scope, given: service.landscape(
            scope, given.texts["run"], given.texts["name"]
        ),
    ),
    Route(
        "/compare", (_RUN, _WITH, _TAGS),
        lambda service, scope, given: service.compare(
            scope, given.texts["run"], given.texts["with"]
        ),
    ),
    Route(
        "/difference", (_RUN, _WITH, _GROUP, Text("metric"), _WIDTH, _TAGS),
        lambda service, scope, given: service.difference(
            scope, (given.texts["run"], given.texts["with"]), given.texts["group"],
            given.texts["metric"], given.numbers["width"],
        ),
    ),
)


def applications(service: Service, assets: Mapping[str, Asset]) -> dict[str, WsgiApp]:
    """WSGI applications by path, for `TBPlugin.get_plugin_apps`."""
    apps: dict[str, WsgiApp] = {route.path: _data(service, route) for route in ROUTES}
    for name, asset in assets.items():
        apps[f"/{name}"] = _asset(asset)
    return apps


def _data(service: Service, route: Route) -> WsgiApp:
    def answer(request: Request) -> Reply:
        given = parse(request.environ.get("QUERY_STRING", ""), route.parameters, service.limits)
        scope = Scope(
            plugin_util.context(request.environ), plugin_util.experiment_id(request.environ),
            rules(given.texts[_TAGS.name]),
        )
        # A log may hold any number: a sum beyond the largest is infinite, and sent as null.
        with np.errstate(over="ignore", invalid="ignore"):
            return route.answer(service, scope, given)

    return _application(route.path, answer)


def _asset(asset: Asset) -> WsgiApp:
    return _application("asset", lambda _: Reply(asset.packed, asset.content_type, asset.etag))


def _application(path: str, answer: Callable[[Request], Reply]) -> WsgiApp:
    """A WSGI application around `answer`; nothing escapes it."""

    @Request.application
    def application(request: Request) -> Response:
        try:
            if request.method not in METHODS:
                raise RefusedError(
                    405, "only GET and HEAD are allowed", (("Allow", ", ".join(METHODS)),)
                )
            return _respond(request, answer(request))
        except RefusedError as error:
            return _refusal(request, error)
        except errors.PublicError as error:
            refused = RefusedError(error.http_code, str(error), tuple(error.headers))
            return _refusal(request, refused)
        except Exception:
            _logger.exception("convergence: %s failed", path)
            return _refusal(
                request, RefusedError(500, "the plugin failed; see TensorBoard's log")
            )

    app: WsgiApp = application
    return app


def _respond(request: Request, reply: Reply) -> Response:
    headers = [("ETag", reply.etag), ("Vary", "Accept-Encoding")]
    tag, _ = unquote_etag(reply.etag)
    if request.if_none_match.contains_weak(tag):
        return Response(
            status=304,
            headers=[
                *headers,
                ("Cache-Control", "no-cache, must-revalidate"),
                ("X-Content-Type-Options", "nosniff"),
            ],
            content_type=reply.content_type,
        )
    response: Response = http_util.Respond(
        request, reply.packed, reply.content_type, content_encoding="gzip", headers=headers
    )
    return response


def _refusal(request: Request, refused: RefusedError) -> Response:
    headers = list(refused.headers)
    if refused.status == 503:
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    body = encode({"schema": SCHEMA, "error": {"message": refused.message}})
    response: Response = http_util.Respond(
        request, body, JSON, code=refused.status, headers=headers
    )
    return response
