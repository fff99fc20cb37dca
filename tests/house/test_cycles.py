"""No file of a room imports itself by way of others, however late or only for types it does so."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

GRAPH = grimp.build_graph("tutti", exclude_type_checking_imports=False)
ROOMS = sorted(room for room in GRAPH.modules if room != "tutti" and GRAPH.find_children(room))


def circle_in(room: str) -> list[str]:
    """Files and rooms of a room that import one another in a circle; empty if there is none."""
    children = GRAPH.find_children(room)
    within = {module: child for child in children for module in {child, *GRAPH.find_descendants(child)}}
    imported: dict[str, set[str]] = {child: set() for child in within.values()}
    for module, child in within.items():
        targets = {within.get(target, child) for target in GRAPH.find_modules_directly_imported_by(module)}
        imported[child] |= targets - {child}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_in_a_circle(room: str) -> None:
    assert circle_in(room) == []


def test_circles_are_seen() -> None:
    GRAPH.add_import(importer="tutti.media.limits", imported="tutti.media.sandbox")
    try:
        assert {"tutti.media.limits", "tutti.media.sandbox"} <= set(circle_in("tutti.media"))
    finally:
        GRAPH.remove_import(importer="tutti.media.limits", imported="tutti.media.sandbox")
