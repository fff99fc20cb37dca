"""The policy before models elsewhere: what it says, what breaks it, and that nothing is sent that it forbids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media.pdf_files import pdf
from tutti.content import Document, Image, Message, Text, TextLine
from tutti.errors import InputError
from tutti.model import load
from tutti.providers.hosted import HostedOptions
from tutti.trust.privacy import PrivacyPolicy
from tutti.trust.privacy.policy import GuardChain

POLICY = """
[privacy]
words = "refuse"
names = ["Anna Berg"]

[privacy.providers.anthropic]
words = "redact"

[privacy.providers."http://127.0.0.1:9/v1#mini"]
words = "allow"
metadata = "keep"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


class Reads:
    """Finds one line in every picture, as long as it is not covered."""

    def read(self, image: Image) -> list[TextLine]:
        assert isinstance(image.source, np.ndarray)
        if image.source[4:10, 10:50].mean() < 250:
            return []
        return [TextLine(text="write to anna@example.org", box=(2.0, 2.0, 60.0, 12.0), confidence=0.99)]


@pytest.fixture(autouse=True)
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tutti.trust.reading.RapidReader", Reads)


def test_the_most_exact_name_counts(policy: Path) -> None:
    read = PrivacyPolicy.read(policy)
    assert read.before("openai:gpt-4o").words == "refuse"
    assert read.before("anthropic:claude").words == "redact"
    assert read.before("http://127.0.0.1:9/v1#mini").words == "allow"
    assert read.before("http://127.0.0.1:9/v1#other").words == "refuse"
    assert read.before("anthropic:claude").names == ("Anna Berg",), "what a provider does not say is as for all"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no table"),
        ("[privacy", "cannot be read"),
        ("[privacy]\nfaces = 'hide'", "faces in .* is 'hide'; expected allow or refuse or redact"),
        ("[privacy]\nmetadata = 'allow'", "expected remove or keep"),
        ("[privacy]\nface = 'allow'", "'face', which is not known"),
        ("[privacy]\nnames = 'Anna'", "expected a list of names"),
        ("[privacy]\nnames = [' ']", "expected a list of names"),
        ("privacy = 3", "has no table"),
        ("[privacy]\nproviders = 3", "expected a table for each"),
        ("[privacy.providers]\nopenai = 3", "expected a table"),
    ],
)
def test_what_is_no_policy_is_said(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        PrivacyPolicy.read(path)


def preview(name: str, policy: Path, *parts: Any, **options: Any) -> str:
    hosted = HostedOptions(preview_only=True, **options)
    model = load(name, hosted=hosted, privacy=policy)
    return str(model.preview([Message.user(*parts)]))


def test_words_are_refused_before_anything_is_sent(policy: Path) -> None:
    for part in ("mail anna@example.org", "ask Anna Berg", Image(np.full((20, 80, 3), 255, np.uint8))):
        with pytest.raises(InputError, match="identifies"):
            preview("openai:gpt-4o", policy, part, "What is this?")
    assert "a harmless question" in preview("openai:gpt-4o", policy, "a harmless question")


def test_words_are_covered_where_the_provider_may_have_the_rest(policy: Path) -> None:
    sent = preview("anthropic:claude", policy, "mail anna@example.org today")
    assert "anna@" not in sent
    assert "today" in sent
    assert "anna@" in preview("http://127.0.0.1:9/v1#mini", policy, "mail anna@example.org today")


def test_pages_of_documents_are_looked_at_too(policy: Path) -> None:
    with pytest.raises(InputError, match="identifies"):
        preview("openai:gpt-4o", policy, Document(pdf(["Written by Anna Berg."])), "Who wrote it?")


def test_metadata_cannot_be_kept_against_it(policy: Path) -> None:
    with pytest.raises(InputError, match="metadata are removed before openai:gpt-4o"):
        preview("openai:gpt-4o", policy, "a", keep_metadata=True)
    preview("http://127.0.0.1:9/v1#mini", policy, "a", keep_metadata=True)


def test_the_environment_can_name_it(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUTTI_PRIVACY", str(policy))
    model = load("openai:gpt-4o", hosted=HostedOptions(preview_only=True))
    with pytest.raises(InputError, match="identifies"):
        model.preview("mail anna@example.org")
    monkeypatch.setenv("TUTTI_PRIVACY", str(policy) + ".gone")
    with pytest.raises(InputError, match="cannot be read"):
        load("openai:gpt-4o", hosted=HostedOptions(preview_only=True))
    load("tutti-mini", reader=False)  # nothing is sent, so the policy is not read


def test_guards_follow_one_another() -> None:
    class Adds:
        def __init__(self, word: str) -> None:
            self.word = word

        def admit(self, parts: Any) -> Any:
            return [Text(f"{part.text} {self.word}") for part in parts]

    assert GuardChain([Adds("one"), Adds("two")]).admit([Text("zero")]) == [Text("zero one two")]
