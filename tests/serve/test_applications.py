"""Applications that are handed to the server: their routes stand behind its gate, as its own do."""

from __future__ import annotations

import json
import sys
import types

import pytest
from fastapi import APIRouter, Request
from pydantic import BaseModel

from tests.serve.fake_models import Parrot, served
from tests.serve.test_gate import KEY, KEYS, asked
from tutti.cli import applications as table
from tutti.cli.main import main
from tutti.errors import CapacityError, InputError
from tutti.serve.admission import ServerLimits
from tutti.serve.applications import Application, TenantOf

MINE, BOBS = {"authorization": f"Bearer {KEY}"}, {"authorization": "Bearer tutti-" + "b" * 40}


class _Noted(BaseModel):
    text: str


class Notebook:
    """Keeps notes, each tenant's apart."""

    def __init__(self, name: str = "notes") -> None:
        self.name = name
        self.kept: dict[str, list[str]] = {}

    def router(self, tenant_of: TenantOf) -> APIRouter:
        router = APIRouter()

        @router.post("/notes")
        async def keep(note: _Noted, request: Request) -> dict[str, int]:
            if note.text == "bug":
                raise ZeroDivisionError(note.text)
            if not note.text:
                raise InputError("The note is empty; write something.")
            kept = self.kept.setdefault(tenant_of(request), [])
            if len(kept) == 2:
                raise CapacityError("There are two notes already; delete one.")
            kept.append(note.text)
            return {"number": len(kept)}

        @router.get("/notes")
        async def listed(request: Request) -> list[str]:
            return self.kept.get(tenant_of(request), [])

        @router.delete("/notes/{number}")
        async def forget(number: int, request: Request) -> None:
            self.kept[tenant_of(request)].pop(number - 1)

        return router


def note(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def test_each_tenant_finds_its_own_behind_its_key() -> None:
    with served(Parrot(), keys=KEYS, applications=[Notebook()]) as server:
        for method in ("GET", "POST"):
            assert asked(server, method, "/apps/notes/notes", note("a"))[0] == 401
        assert asked(server, "DELETE", "/apps/notes/notes/1")[0] == 401
        assert asked(server, "POST", "/apps/notes/notes", note("mine"), MINE)[0] == 200
        assert asked(server, "POST", "/apps/notes/notes", note("bobs"), BOBS)[0] == 200
        status, headers, content = asked(server, "GET", "/apps/notes/notes", None, MINE)
        assert (status, json.loads(content)) == (200, ["mine"])
        assert headers["x-request-id"].startswith("req-")
        assert asked(server, "DELETE", "/apps/notes/notes/1", None, MINE)[0] == 200
        assert json.loads(asked(server, "GET", "/apps/notes/notes", None, MINE)[2]) == []
        assert json.loads(asked(server, "GET", "/apps/notes/notes", None, BOBS)[2]) == ["bobs"]
        metrics = asked(server, "GET", "/metrics", None, MINE)[2].decode()
        assert 'tutti_requests_total{route="/apps/notes/notes",status="200"} 5.0' in metrics


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (note(""), 400, "The note is empty; write something."),
        (b"{}", 400, "text is missing; expected as in GET /openapi.json."),
        (note("bug"), 500, "The server failed over this request"),
        (note("x" * 2000), 413, "The request is larger than 1,000 bytes"),
    ],
)
def test_errors_look_as_everywhere(body: bytes, status: int, told: str) -> None:
    with served(Parrot(), applications=[Notebook()], limits=ServerLimits(max_body_bytes=1000)) as server:
        found, _, content = asked(server, "POST", "/apps/notes/notes", body)
        assert found == status
        assert json.loads(content)["error"]["message"].startswith(told)
        for text in "ab":
            assert asked(server, "POST", "/apps/notes/notes", note(text))[0] == 200
        assert asked(server, "POST", "/apps/notes/notes", note("c"))[0] == 413


def test_every_method_that_does_something_counts_against_the_rate() -> None:
    limits = ServerLimits(requests_per_minute=0.01, burst=2)
    with served(Parrot(), applications=[Notebook()], limits=limits) as server:
        assert asked(server, "POST", "/apps/notes/notes", note("a"))[0] == 200
        assert asked(server, "DELETE", "/apps/notes/notes/1")[0] == 200
        assert asked(server, "DELETE", "/apps/notes/notes/1")[0] == 429
        assert asked(server, "GET", "/apps/notes/notes")[0] == 200


@pytest.mark.parametrize(("names", "told"), [(["a", "a"], "given twice"), (["A b"], "is no name for an application")])
def test_names_are_checked(names: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told), served(Parrot(), applications=[Notebook(name) for name in names]):
        pass


def test_the_command_looks_names_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = types.ModuleType("notebook_for_test")
    opened: list[tuple[object, str | None]] = []

    def open_notebook(provider: object, where: str | None) -> Notebook:
        opened.append((provider, where))
        return Notebook()

    module.open_notebook = open_notebook  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "notebook_for_test", module)
    monkeypatch.setitem(table.APPLICATIONS, "notes", "notebook_for_test:open_notebook")
    parrot = Parrot()
    (one,) = table.open_applications(["notes=a/folder"], parrot)
    assert isinstance(one, Application)
    assert opened == [(parrot, "a/folder")]
    assert main(["serve", "--app", "nothing"]) == 2
    assert "There is no application 'nothing'; known are:" in capsys.readouterr().err
