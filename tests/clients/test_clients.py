"""The table of clients: written from what was seen, failures with their messages; with the marker, clients run."""

from __future__ import annotations

import pytest

from tests.clients.cases import HEAD
from tests.clients.run import CLIENTS, table


def test_every_program_is_python_and_names_features() -> None:
    for client in CLIENTS:
        if not client.node:
            compile(HEAD + client.program, client.name, "exec")
        assert "feature(" in client.program
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)


def test_the_table_says_what_works_and_what_does_not() -> None:
    features = [
        {"feature": "chat", "works": True, "told": ""},
        {"feature": "stream", "works": False, "told": "Error: a | b\nc"},
    ]
    written = table([{"client": "x", "version": "1.0", "features": features}])
    assert written.splitlines()[-1] == "| x | 1.0 | chat | stream: Error: a \\| b c |"


@pytest.mark.clients
@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_a_client_works(name: str) -> None:
    import json
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "tests.clients.run", name], capture_output=True, text=True, check=True)
    (told,) = (json.loads(line) for line in done.stdout.splitlines())
    assert all(feature["works"] for feature in told["features"]), told
