"""Every family's processor keeps one contract, and nobody asks a processor what it happens to have."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import tutti.processing
from tutti.checkpoints.families import FAMILIES
from tutti.processing.prompt import Processor

SOURCE = Path(tutti.processing.__file__).parents[1]
CONTRACT = {name for name, value in vars(Processor).items() if not name.startswith("_") and name != "register"}


def probes(tree: ast.AST) -> list[str]:
    """Calls that ask whether, or try if, a processor has something, and casts of it."""
    found = []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for call in calls:
        name, arguments = ast.unparse(call.func), [ast.unparse(argument) for argument in call.args]
        probed = name in ("hasattr", "getattr") and "processor" in arguments[0]
        if probed or (name == "cast" and arguments[1].endswith(".processor") and "Processor" not in arguments[0]):
            found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_processor_is_never_probed(file: Path) -> None:
    assert probes(ast.parse(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "line",
    [
        'hasattr(processor, "picture")',
        'getattr(self.processor, "images", None)',
        'hasattr(loaded.processor, "accepts")',
        'cast("Prompter", loaded.processor)',
    ],
)
def test_the_check_finds_a_probe(line: str) -> None:
    assert probes(ast.parse(line)) == [f"line 1: {ast.unparse(ast.parse(line))}"]


def processors() -> list[type]:
    found = []
    for module in pkgutil.iter_modules(tutti.processing.__path__, "tutti.processing."):
        members = vars(importlib.import_module(module.name)).values()
        found += [one for one in members if inspect.isclass(one) and one.__module__ == module.name]
    return [one for one in found if Processor in one.__mro__ and one is not Processor]


def test_every_family_has_a_processor_of_the_contract() -> None:
    made = {inspect.signature(family.processor).return_annotation for family in FAMILIES.values()}
    assert made == {"Processor"}
    assert len(processors()) >= 12


@pytest.mark.parametrize("kind", processors(), ids=lambda kind: kind.__name__)
def test_what_a_processor_adds_is_how_media_are_prepared(kind: type) -> None:
    """One that prepares media says which; one that says which prepares them."""
    own = {name for one in kind.__mro__ if one not in (Processor, object) for name in vars(one)}
    if kind.__name__ != "Wav2Vec2Processor":  # its samples go to the model as they are
        assert ("prepare" in own) == ("decodings" in own)
    assert {
        "accepts", "call_form", "decode", "decodings", "dialogue", "eos_ids", "json_tokenizer", "prepare", "prompt",
        "text_meter", "texts", "tool_prompt",
    } == CONTRACT  # fmt: skip
