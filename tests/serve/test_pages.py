"""The pages: files of the package, no address from elsewhere in them, and a description of every field that counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import asked
from tutti.serve import pages


@pytest.mark.parametrize("path", pages.PATHS)
def test_a_page_asks_nothing_of_the_network(path: str) -> None:
    with served(Parrot()) as server:
        status, headers, content = asked(server, "GET", path)
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.search(rb"https?://(?!\$)", content)
    assert content == (files(pages.__name__) / pages.PATHS[path]).read_bytes()


def named(value: Any) -> Iterator[str]:
    """Schemas that a piece of the document refers to."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key == "$ref":
            yield one.rpartition("/")[2]
        else:
            yield from named(one)


def test_every_route_of_the_document_has_a_description_and_every_field_of_a_request_says_what_it_is() -> None:
    with served(Parrot()) as server:
        page = json.loads(asked(server, "GET", "/openapi.json")[2])
    schemas, queue, seen = page["components"]["schemas"], [], set[str]()
    for methods in page["paths"].values():
        assert all(operation["description"] for operation in methods.values())
        assert not any("422" in operation["responses"] for operation in methods.values()), "it is never sent"
        queue += [name for operation in methods.values() for name in named(operation.get("requestBody", {}))]
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        assert schemas[name]["description"], name
        bare = [field for field, one in schemas[name].get("properties", {}).items() if not one.get("description")]
        assert not bare, (name, bare)
        queue += named(schemas[name].get("properties", {}))
    assert {"ChatRequest", "ResponsesRequest", "MessagesRequest", "CompletionRequest", "EmbeddingsRequest"} <= seen
    assert len(seen) > 50
