"""Doors given as strings, which neither the type checker nor the import contract sees."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import pytest

import tutti
from tutti.cli.main import COMMANDS


def packages() -> list[ModuleType]:
    found = [
        importlib.import_module(info.name) for info in pkgutil.walk_packages(tutti.__path__, "tutti.") if info.ispkg
    ]
    return [tutti, *found]


WITH_DOORS = [package for package in packages() if hasattr(package, "_DOORS")]


@pytest.mark.parametrize("package", WITH_DOORS, ids=lambda package: package.__name__)
def test_every_door_opens(package: ModuleType) -> None:
    for name, target in package._DOORS.items():
        module_name, _, attribute = target.partition(":")
        module = importlib.import_module(module_name)
        expected = getattr(module, attribute) if attribute else module
        assert getattr(package, name) is expected, f"{package.__name__}.{name}"
        assert name in dir(package)


def test_the_package_itself_is_among_them() -> None:
    assert tutti in WITH_DOORS
    assert {"Image", "Audio", "Video", "Message", "Answer", "load", "Model", "checkpoints"} <= {*tutti._DOORS}


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tutti' has no attribute 'nothing'"):
        _ = tutti.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_that_says_what_the_table_says(name: str) -> None:
    module_name, help_line = COMMANDS[name]
    module = importlib.import_module(module_name)
    assert module.__doc__ is not None
    assert module.__doc__.splitlines()[0] == help_line
    assert callable(module.configure)
    assert callable(module.run)
