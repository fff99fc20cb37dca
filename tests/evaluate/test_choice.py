"""Choosing: three cases of use, and reasons for and against every model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tutti.errors import InputError
from tutti.evaluate.choice import Measured, Needs, choose, read_catalog, read_measured
from tutti.pricing.prices import read_prices

CATALOG, BOOK = read_catalog(), read_prices()


def test_at_the_edge_at_once() -> None:
    """Pictures and sound on a device of 4 GB, the first word within 0.2 s."""
    needs = Needs(modalities=frozenset({"image", "audio"}), memory_gb=4, first_token_s=0.2)
    found = choose(needs, CATALOG, BOOK)
    assert [option.name for option in found.ranked] == ["tutti-mini"]
    against = {option.name: option.reasons for option in found.rejected}
    assert "runs at its provider only, not on a device" in against["openai:gpt-4o"]
    assert "needs 16 GB, and the device has 4" in against["llava-hf/llava-1.5-7b-hf"]


def test_nothing_leaves_the_house() -> None:
    """Pictures of people in the EU, on own machines of 24 GB, open weights."""
    needs = Needs(on_premises=True, open_weights=True, region="eu", memory_gb=24)
    found = choose(needs, CATALOG, BOOK)
    assert [option.name for option in found.ranked] == [
        "llava-hf/llava-1.5-7b-hf",
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "tutti-mini",
    ]
    against = {option.name: option.reasons for option in found.rejected}
    assert set(against) == {name for name in CATALOG if ":" in name} | {"meta-llama/Llama-3.2-11B-Vision-Instruct"}
    assert "is offered for us, not for eu" in against["meta-llama/Llama-3.2-11B-Vision-Instruct"]
    assert "does not run on premises" in against["gemini:gemini-2.5-pro"]


def test_long_video() -> None:
    """Lectures of 45 minutes, a thousand a month, at most $2,500."""
    tokens = 45 * 60 * 295
    needs = Needs(
        modalities=frozenset({"video"}), video_minutes=45, context=tokens, prompt_tokens=tokens, per_month=1000,
        budget_usd=2500,
    )  # fmt: skip
    found = choose(needs, CATALOG, BOOK)
    assert [option.name for option in found.ranked] == ["gemini:gemini-2.5-pro"]
    assert found.ranked[0].month_usd == pytest.approx(1000 * (tokens * 2.5 + 200 * 15) / 1e6)
    tight = choose(
        Needs(modalities=frozenset({"video"}), prompt_tokens=tokens, per_month=1000, budget_usd=1000), CATALOG, BOOK
    )
    against = {option.name: option.reasons for option in tight.rejected}
    assert against["gemini:gemini-2.5-pro"] == ("costs $1,994 a month; $1,000 are allowed",)


def test_an_evaluation_outweighs_the_class() -> None:
    measured = {
        "llava-hf/llava-1.5-7b-hf": Measured(accuracy=0.9, first_token_s=0.3, cost_usd=0.0),
        "openai:gpt-4o": Measured(accuracy=0.7, first_token_s=0.9, cost_usd=0.002),
    }
    found = choose(Needs(accuracy=0.8, per_month=100), CATALOG, BOOK, measured)
    assert [option.name for option in found.ranked] == ["llava-hf/llava-1.5-7b-hf"]
    assert "right on 90% of your examples" in found.ranked[0].reasons
    against = {option.name: option.reasons for option in found.rejected}
    assert against["openai:gpt-4o"] == ("is right on 70%; 80% are needed",)
    assert against["tutti-mini"] == ("is not in the evaluation",)
    # Without the bar, measured models come first, the better one before.
    order = [option.name for option in choose(Needs(), CATALOG, BOOK, measured).ranked]
    assert order[:2] == ["llava-hf/llava-1.5-7b-hf", "openai:gpt-4o"]


def test_unknown_is_not_yes() -> None:
    found = choose(Needs(first_token_s=10), CATALOG, BOOK)
    against = {option.name: option.reasons for option in found.rejected}
    assert against["openai:gpt-4o"] == ("nobody measured its time to the first token; evaluate it and give the report",)
    unpriced = {"x": replace(CATALOG["openai:gpt-4o"], name="openai:unpriced")}
    found = choose(Needs(budget_usd=1, per_month=1), unpriced, BOOK)
    assert found.rejected[0].reasons == ("no price is known",)


def test_rows_have_sources_and_licences() -> None:
    for model in CATALOG.values():
        assert model.licence
        assert len(model.source) > 20
        assert model.name in BOOK.models or model.on_premises


def test_own_models_and_what_is_wrong_with_them(tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    row = 'modalities = ["text"]\ncontext = 1\nopen_weights = true\non_premises = true\nlicence = "x"\n'
    row += "read = 2026-11-25\n"
    file.write_text(f'[models.mine]\n{row}source = "here"\n')
    assert read_catalog(file)["mine"].modalities == ("text",)
    file.write_text(f"[models.a]\n{row}\n[models.b]\n{row}source = 's'\nmagic = 1\n")
    with pytest.raises(InputError, match="2 problems") as caught:
        read_catalog(file)
    assert "models.a: there is no source" in str(caught.value)
    assert "models.b: unknown magic" in str(caught.value)
    with pytest.raises(InputError, match="This is no report"):
        read_measured({"models": [1]})


def test_terms_of_hosted_models_come_with_day_and_source() -> None:
    catalog = read_catalog()
    for name, model in catalog.items():
        assert (model.terms is None) == model.on_premises, name
        if model.terms is not None:
            assert model.terms.source.startswith("https://")
            assert str(model.terms.read) in model.terms.sentence
            found = choose(Needs(), {name: model}, read_prices())
            assert model.terms.sentence in found.ranked[0].reasons


def test_terms_that_nobody_knows_are_said_to_be_unknown(tmp_path: Path) -> None:
    row = 'modalities = ["image"]\ncontext = 9\nopen_weights = false\non_premises = false\nlicence = "x"\n'
    (tmp_path / "own.toml").write_text(f'[models."other:m"]\n{row}read = 2026-01-01\nsource = "x"\n')
    model = read_catalog(tmp_path / "own.toml")["other:m"]
    (option,) = choose(Needs(), {"other:m": model}, read_prices()).ranked
    assert any(reason.endswith("not known here") for reason in option.reasons)
    (tmp_path / "own.toml").write_text('[terms.other]\nretention = "x"\n')
    with pytest.raises(InputError, match=r"has retention; expected read, retention, source, training"):
        read_catalog(tmp_path / "own.toml")
