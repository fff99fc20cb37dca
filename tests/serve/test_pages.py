"""The pages: files of the package, no address from elsewhere in them, and a description of every field that counts."""

from __future__ import annotations

import json
import re
from importlib.resources import files

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


def test_every_route_of_the_document_has_a_description_and_fields_that_say_what_they_are() -> None:
    with served(Parrot()) as server:
        page = json.loads(asked(server, "GET", "/openapi.json")[2])
    for methods in page["paths"].values():
        assert all(operation["description"] for operation in methods.values())
    for name in ("ChatRequest", "ResponsesRequest", "MessagesRequest", "CompletionRequest", "EmbeddingsRequest"):
        fields = page["components"]["schemas"][name]["properties"]
        described = [field for field in fields.values() if field.get("description")]
        assert len(described) > len(fields) / 2, name
