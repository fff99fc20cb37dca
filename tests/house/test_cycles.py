"""No file of a room imports itself by way of others, however late or only for types it does so."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

STILL_CIRCULAR = {"tutti.search"}
"""Rooms with such a circle, which the import contract does not see as it leaves out imports for types."""
GRAPH = grimp.build_graph("tutti", exclude_type_checking_imports=False)
ROOMS = sorted(room for room in GRAPH.find_children("tutti") if GRAPH.find_children(room))


def circle_in(room: str) -> list[str]:
    """Files of a room that import one another in a circle; empty if there is none."""
    files = GRAPH.find_children(room)
    imported = {file: GRAPH.find_modules_directly_imported_by(file) & files for file in files}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in STILL_CIRCULAR])
def test_no_room_imports_in_a_circle(room: str) -> None:
    assert circle_in(room) == []


@pytest.mark.parametrize("room", sorted(STILL_CIRCULAR))
def test_circles_are_seen_and_leave_the_list_when_resolved(room: str) -> None:
    assert circle_in(room), f"{room} has no circle any more; take it off STILL_CIRCULAR"


def test_the_contracts_list_has_the_rooms_own_rule() -> None:
    assert "tutti.media" in ROOMS
    assert circle_in("tutti.media") == []
