"""`tutti demo`: which models its page lists, what adapters and keys they need, and that nothing is downloaded."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import pytest

from tutti.checkpoints.installed import installed
from tutti.checkpoints.model_paths import find_folder
from tutti.cli.demo_models import DemoModels
from tutti.errors import InputError, TuttiError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the hub's client keeps: one model that answers, one half downloaded, one of another library."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name, files in (("tiny", None), ("half", []), ("other", ["config.json"])):
        place = tmp_path / f"models--org--{name}"
        (place / "refs").mkdir(parents=True)
        (place / "refs" / "main").write_text("c0ffee")
        if files is None:
            (place / "snapshots").mkdir()
            shutil.copytree(find_folder("tutti-mini"), place / "snapshots" / "c0ffee", copy_function=_linked)
        else:
            (place / "snapshots" / "c0ffee").mkdir(parents=True)
            for file in files:
                (place / "snapshots" / "c0ffee" / file).write_text('{"model_type": "unheard"}')
    (tmp_path / "models--org--gone" / "refs").mkdir(parents=True)
    return tmp_path


def _linked(source: str, target: str) -> None:
    Path(target).symlink_to(source)


def given(**values: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"model": None, "adapter": None, "quantize": None, **values})


def test_what_is_installed_is_found_without_the_network(cache: Path) -> None:
    found = installed()
    assert list(found) == ["tutti-mini", "whisper-base", "org/tiny"]
    folder, info = found["org/tiny"]
    assert folder == cache / "models--org--tiny" / "snapshots" / "c0ffee" and "ask" in info.tasks


def test_without_a_name_all_that_answers_can_be_chosen_and_is_opened_from_its_folder(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = DemoModels(given(), "tutti-mini")
    assert list(models.names) == ["tutti-mini", "org/tiny"]
    opened: list[Any] = []
    monkeypatch.setattr("tutti.load", lambda name, **_: opened.append(name) or name)
    models.open_first(None)
    models.open("org/tiny")
    models.open("org/tiny")
    assert opened == ["tutti-mini", cache / "models--org--tiny" / "snapshots" / "c0ffee"]
    assert DemoModels(given(model=["a", "b", "a"]), "tutti-mini").names == ["a", "b"]


def test_adapters_are_listed_by_their_names_behind_the_first_model() -> None:
    models = DemoModels(given(model=["tutti-mini", "b"], adapter=["shop=run", "support=other"]), "x")
    assert models.names == ["tutti-mini", "shop", "support", "b"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"adapter": ["run"]}, "has no name"),
        ({"adapter": ["a=run", "a=other"]}, "names 'a' twice"),
        ({"adapter": ["b=run"], "model": ["a", "b"]}, "as a model is called"),
    ],
)
def test_adapters_that_cannot_be_chosen_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        DemoModels(given(**values), "tutti-mini")


def test_a_hosted_model_without_a_key_ends_before_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "TUTTI_OPENAI_API_KEY", "TUTTI_KEYS"):
        monkeypatch.delenv(name, raising=False)
    models = DemoModels(given(model=["openai:gpt-4o", "tutti-mini"]), "tutti-mini")
    with pytest.raises(TuttiError, match="key"):
        models.open_first(None)
    with pytest.raises(InputError, match="weights are elsewhere"):
        DemoModels(given(model=["openai:gpt-4o"], adapter=["a=run"]), "tutti-mini").open_first(None)


def test_an_adapter_is_asked_beside_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def adapted(name: str, adapters: Any, settings: Any, **more: Any) -> tuple[Any, dict[str, Any]]:
        seen.update(name=name, adapters=adapters, quantize=more["quantize"])
        return Named(name), {one: Named(one) for one in adapters}

    monkeypatch.setattr("tutti.providers.adapted.load_adapted", adapted)
    models = DemoModels(given(model=["tutti-mini"], adapter=["shop=run"], quantize="int8"), "x")
    assert models.open_first(None).name == "tutti-mini"
    assert models.open("shop").name == "shop"
    assert seen == {"name": "tutti-mini", "adapters": {"shop": "run"}, "quantize": "int8"}


class Named:
    """A provider with a name."""

    def __init__(self, name: str) -> None:
        self.name = name
