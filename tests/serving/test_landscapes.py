"""The routes `landscapes` and `landscape`, against the records they serve."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import Client

from tb_convergence.reading.landscapes import RecordedLandscapes
from tb_convergence.serving import landscapes
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.parameters import RefusedError
from tests.serving import contract
from tests.serving.contract import PREFIX, document, error
from tests.serving.samples import sample_landscapes


def ask(client: Client, route: str, **given: Any) -> Any:
    return client.get(f"{PREFIX}/{route}", query_string=given)


def test_a_list_names_what_there_is_without_surfaces(client: Client) -> None:
    found = document(ask(client, "landscapes", run="mlp/healthy"))
    contract.check_landscapes(found)
    assert [one["name"] for one in found["landscapes"]] == ["landscape", "to the start"]
    assert [one["dimensions"] for one in found["landscapes"]] == [2, 1]
    assert [one["planes"] for one in found["landscapes"]] == [2, 1]
    assert document(ask(client, "landscapes", run="mlp/explodes"))["landscapes"] == []


@pytest.mark.parametrize("name", ["landscape", "to the start"])
def test_a_landscape_comes_as_it_was_written(client: Client, name: str) -> None:
    found = document(ask(client, "landscape", run="mlp/healthy", name=name))
    contract.check_landscape(found)
    (expected,) = (
        one.document for one in sample_landscapes() if one.document["name"] == name
    )
    assert found["landscape"] == expected
    assert found["titles"]["basin_share"] == {"title": "Basin share", "share": True}


def test_what_is_not_there_is_refused(client: Client) -> None:
    message = error(ask(client, "landscape", run="mlp/healthy", name="other"), 404)
    assert "no landscape of that name" in message
    error(ask(client, "landscape", run="nobody", name="landscape"), 404)
    error(ask(client, "landscapes", run="broken"), 503)


def test_a_reply_that_would_be_too_large_is_refused() -> None:
    (one, _) = sample_landscapes()
    long = RecordedLandscapes((one,))
    one.document["notes"] = ["x" * LIMITS.reply_bytes]
    with pytest.raises(RefusedError, match="too large"):
        landscapes.landscape("run", "landscape", long, LIMITS)
