"""The applications that `tutti serve --app` knows: a lazy table, so that only those which are named are imported."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tutti.errors import InputError
from tutti.interfaces import Provider

if TYPE_CHECKING:
    from tutti.serve.applications import Application

APPLICATIONS: dict[str, str] = {
    "moderation": "tutti.apps.moderation.http:open_moderation",
    "shop": "tutti.apps.shop.http:open_shop",
    "radiology": "tutti.apps.radiology.http:open_radiology",
}
"""Name → `module:function`. The function takes the model that is served (`Provider`) and where the application keeps or
finds what it works on (a path, or None where none was given), and returns a `tutti.serve.applications.Application`."""


def open_applications(given: Sequence[str], provider: Provider) -> list[Application]:
    """The applications that were named.

    Args:
        given: Each `NAME`, or `NAME=WHERE`.
        provider: The model that is served.

    Raises:
        InputError: A name is not known, or the application cannot be opened.
    """
    opened = []
    for word in given:
        name, _, where = word.partition("=")
        check_application(name)
        module, _, function = APPLICATIONS[name].partition(":")
        opened.append(getattr(importlib.import_module(module), function)(provider, where or None))
    return opened


def check_application(name: str) -> None:
    """Refuse a name that is not known, before a model is loaded.

    Raises:
        InputError: It is not in the table.
    """
    if name not in APPLICATIONS:
        known = ", ".join(APPLICATIONS) or "none yet"
        raise InputError(f"There is no application {name!r}; known are: {known}.")
