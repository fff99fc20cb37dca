"""Feedback: kept whole or not at all, each tenant's apart, sealed and erased; made into pairs; agreement."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from tutti.cli.main import main
from tutti.content import Claim, Image
from tutti.content.feedback import Feedback, JudgedMedium
from tutti.errors import CapacityError, InputError
from tutti.evaluate import feedback_store
from tutti.evaluate.agreement import agreement, krippendorff_alpha
from tutti.evaluate.feedback_pairs import agreements, lessons, verified_pairs
from tutti.evaluate.feedback_store import FeedbackStore
from tutti.training.conversations import read_messages
from tutti.training.preferences import read_preferences, read_verdicts


def judged(answer: str = "a cat", verdict: str = "good", **more: Any) -> Feedback:
    row = {"question": "What is it?", "answer": answer, "verdict": verdict, "consent": "training", **more}
    return Feedback.from_dict(row)


def columns(*rows: str) -> list[list[str]]:
    """Units of a table whose rows are judges; `.` is a gap."""
    return [[value for value in unit if value != "."] for unit in zip(*(row.split() for row in rows), strict=True)]


@pytest.mark.parametrize(
    ("rows", "alpha"),
    [
        # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", sections A, B and C
        (("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"), 0.095),
        (("a a b b d c c c e d d a", "b a b b b c c c e d d d"), 0.692),
        (
            (
                "1 2 3 3 2 1 4 1 2 . . .",
                "1 2 3 3 2 2 4 1 2 5 . 3",
                ". 3 3 3 2 3 4 2 2 5 1 .",
                "1 2 3 3 2 4 4 1 2 5 1 .",
            ),
            0.743,
        ),
    ],
)
def test_alpha_is_that_of_the_published_examples(rows: tuple[str, ...], alpha: float) -> None:
    found = krippendorff_alpha(columns(*rows))
    assert found is not None and round(found, 3) == alpha


def test_alpha_knows_perfect_and_unknown_agreement() -> None:
    assert krippendorff_alpha([[1, 1], [2, 2]]) == 1
    assert krippendorff_alpha([[1, 1], [1, 1]]) is None
    assert krippendorff_alpha([[1], [2]]) is None
    found = agreement({unit: {"ann": unit % 2, "bob": unit % 2 if unit % 5 else 1} for unit in range(40)})
    assert found.alpha is not None and found.low is not None and found.high is not None
    assert found.low < found.alpha < found.high and (found.units, found.judges) == (40, 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"question": " "}, "question is empty"),
        ({"verdict": "great"}, "verdict is 'great'"),
        ({"verdict": "corrected"}, "the corrected text"),
        ({"verdict": "chosen", "other": "a cat"}, "differ from the answer"),
        ({"other": "x"}, "leave it out"),
        ({"consent": "yes"}, "consent is"),
        ({"keep_days": 0}, "keep_days"),
        ({"keep_days": "x"}, "keep_days"),
        ({"at": "2026-01-01"}, "with its zone"),
        ({"at": 3}, "with its zone"),
        ({"answer": 5}, "expected text"),
        ({"answer": "x" * 200_001}, "characters"),
        ({"media": [{"modality": "image", "digest": "../../x"}]}, "64 hexadecimal"),
        ({"media": [3]}, "malformed"),
        ({"media": 3}, "malformed"),
        ({"before": [1]}, "malformed"),
        ({"stars": 5}, "unknown field 'stars'"),
    ],
)
def test_what_is_no_feedback_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        judged(**change)


def test_a_feedback_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    one = judged("x\u2028y \udcff", before=[["user", "Hi"], ["assistant", "Ho"]], who="ann",
                 media=[{"modality": "image", "digest": "a" * 64, "name": "b.png"}])  # fmt: skip
    store = FeedbackStore(tmp_path / "kept", "shop/../x")
    store.add(one)
    assert store.all() == [one]
    assert FeedbackStore(tmp_path / "kept", "other").all() == []
    assert {path.parent for path in tmp_path.rglob("*.jsonl")} == {store.folder}
    assert store.folder.stat().st_mode & 0o077 == 0


def test_what_is_past_its_time_is_gone_from_the_disk(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=3)
    store = FeedbackStore(tmp_path, "t")
    store.add(judged("short", keep_days=2, media=[{"modality": "image", "digest": "a" * 64}]), {"a" * 64: b"medium"})
    long = store.add(judged("long", keep_days=4))
    assert store.medium("a" * 64) == b"medium"
    assert FeedbackStore(tmp_path, "t", now=lambda: later).all() == [long]
    assert "short" not in (store.folder / "feedback.jsonl").read_text()
    assert store.medium("a" * 64) is None


def test_a_tail_that_was_cut_off_is_passed_over_and_other_damage_named(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path, "t")
    first = store.add(judged("1"))
    log = store.folder / "feedback.jsonl"
    with log.open("ab") as file:
        file.write(judged("2").to_json().encode()[:50])
    assert store.all() == [first]
    third = store.add(judged("3"))
    assert store.all() == [first, third]
    log.write_bytes(log.read_bytes() + b"{}\n")
    with pytest.raises(InputError, match=r"Line 3 of .* is damaged"):
        store.all()


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeedbackStore(tmp_path, "t")
    first = store.add(judged("1"))
    size = (store.folder / "feedback.jsonl").stat().st_size

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(feedback_store.os, "fsync", full)
        with pytest.raises(CapacityError, match="No space left"):
            store.add(judged("2"))
    assert (store.folder / "feedback.jsonl").stat().st_size == size
    assert store.all() == [first]


_WRITER = """
import sys
from pathlib import Path
from tutti.content.feedback import Feedback
from tutti.evaluate.feedback_store import FeedbackStore
store = FeedbackStore(Path(sys.argv[1]), "t")
for number in range(10**6):
    one = store.add(Feedback(question="What?", answer="x" * 5000, verdict="good", who=f"{sys.argv[2]} {number}"))
    print(one.id, flush=True)
"""


def test_what_was_told_to_be_kept_survives_kills(tmp_path: Path) -> None:
    told: set[str] = set()
    for seed in range(2):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", _WRITER, str(tmp_path), f"{seed}{name}"], stdout=subprocess.PIPE, text=True
            )
            for name in "ab"
        ]
        for writer in writers:
            assert writer.stdout is not None
            told.add(writer.stdout.readline().strip())
        time.sleep(0.05 + seed * 0.03)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            rest, _ = writer.communicate()
            told |= {line for line in rest.split("\n")[:-1] if line}
    kept = {one.id for one in FeedbackStore(tmp_path, "t").all()}
    assert "" not in told and told <= kept and len(told) >= 4


def test_sealed_feedback_is_read_with_the_key_alone_and_shredded_with_the_tenant(tmp_path: Path) -> None:
    from tutti.trust.vault import Vault
    from tutti.trust.vault.shredding import shred

    key = f"file:{tmp_path / 'root.key'}"
    Vault.init(tmp_path / "vault", key)
    vault = Vault.open(tmp_path / "vault", key)
    vault.remember("ann", str(tmp_path / "kept"))
    store = FeedbackStore(tmp_path / "kept", "ann", vault.sealer("ann"))
    digest = "b" * 64
    one = store.add(judged("secret words", media=[{"modality": "image", "digest": digest}]), {digest: b"secret medium"})
    two = store.add(judged("more"))
    assert (store.all(), store.medium(digest)) == ([one, two], b"secret medium")
    for path in (tmp_path / "kept").rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes()
    with pytest.raises(InputError, match="encrypted; name the vault"):
        FeedbackStore(tmp_path / "kept", "ann").all()
    files = sorted(store.folder.glob("*.sealed"))
    contents = [file.read_bytes() for file in files]
    files[0].write_bytes(contents[1])
    files[1].write_bytes(contents[0])
    with pytest.raises(InputError, match="another's place"):
        store.all()
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    assert store.erase(lambda found: found.id == two.id) == 1
    assert store.all() == [one]
    assert shred(tmp_path / "vault", "ann").files == 2
    assert not [path for path in store.folder.rglob("*") if path.is_file()]


def test_pairs_come_of_choices_corrections_and_thumbs() -> None:
    kept = [
        judged("a dog", "chosen", other="a cat", who="ann"),
        judged("a fox", "corrected", other="a wolf", who="bob"),
        judged("a red car", "good", question="What else?", who="ann"),
        judged("a blue car", "bad", question="What else?", who="ann"),
        judged("a hen", "bad", question="And?", consent="measuring"),
    ]
    found = lessons(kept)
    assert {(one.chosen, one.rejected) for one in found.pairs} == {
        ("a dog", "a cat"), ("a wolf", "a fox"), ("a red car", "a blue car")
    }  # fmt: skip
    assert [one.other for one in found.corrections] == ["a wolf"]
    assert {(one.answer, good) for one, good in found.verdicts} == {
        ("a fox", False), ("a red car", True), ("a blue car", False)
    }  # fmt: skip
    assert (found.contradicting, found.disputed, found.withheld) == ((), 0, 1)


def test_contradicting_pairs_are_listed_and_left_out_unless_a_majority_decides() -> None:
    def of(who: str, chosen: str, other: str) -> Feedback:
        return judged(chosen, "chosen", other=other, who=who)

    kept = [of("ann", "A", "B"), of("bob", "B", "A"), of("cem", "B", "A"), of("ann", "C", "D"), of("bob", "D", "C")]
    found = lessons(kept)
    assert found.pairs == ()
    assert [(one.chosen, one.rejected, one.votes, one.against) for one in found.contradicting] == [
        ("B", "A", 2, 1), ("C", "D", 1, 1)
    ]  # fmt: skip
    assert [(one.chosen, one.rejected) for one in lessons(kept, majority=True).pairs] == [("B", "A")]
    changed = lessons([of("ann", "A", "B"), of("ann", "B", "A")])  # a person changes their mind
    assert ([(one.chosen) for one in changed.pairs], changed.contradicting) == (["B"], ())


def test_agreement_is_between_people_over_the_same_answers() -> None:
    kept = [judged(str(n), "good" if n % 3 else "bad", who=who) for n in range(9) for who in ("ann", "bob")]
    kept += [judged("A", "chosen", other="B", who="ann"), judged("B", "chosen", other="A", who="bob")]
    found = agreements(kept)
    assert (found["thumbs"].alpha, found["thumbs"].units) == (1.0, 9)
    assert found["choices"].alpha == 0.0


class _Contradicting:
    """Supports what says dog, contradicts what says cat, and has nothing to say of the rest."""

    def verify(self, conversation: Any, answer: Any) -> Any:
        assert isinstance(conversation[0].parts[0], Image)
        verdict = {"dog": "supported", "cat": "contradicted"}.get(answer.text.split()[-1], "not_checkable")
        return replace(answer, evidence=(Claim(text=answer.text, verdict=verdict),))


def test_pairs_by_verification_need_no_person_and_do_not_teach_silence() -> None:
    seen = {"media": [{"modality": "image", "digest": "a" * 64}]}
    kept = [judged(text, "unjudged", **seen) for text in ("a dog", "a cat", "I cannot tell")]
    kept += [judged("a cat", "unjudged"), judged("a dog", "unjudged", question="Who?", **seen)]
    found = verified_pairs(kept, lambda _: [Image(b"")], _Contradicting())
    assert [(one.chosen, one.rejected) for one in found] == [("a dog", "a cat")]
    assert verified_pairs(kept, lambda _: None, _Contradicting()) == []


def test_the_command_closes_the_loop_to_what_training_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Picture.new("RGB", (8, 8), colour).save(f"photos/{name}.png")
    rows = [
        {"question": "Colour?", "media": ["photos/a.png"], "answer": "red", "verdict": "chosen", "other": "blue"},
        {"question": "Colour?", "media": ["photos/b.png"], "answer": "red", "verdict": "corrected", "other": "blue"},
        {"question": "Colour?", "media": ["photos/b.png"], "answer": "blue", "verdict": "good"},
    ]
    Path("judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shared = ["--in", "kept", "--json"]
    assert main(["feedback", "add", "--from", "judged.jsonl", "--who", "ann", "--consent", "training", *shared]) == 0
    ids = json.loads(capsys.readouterr().out)["ids"]
    assert main(["feedback", "export", "--media", "photos", "--out", "lessons", *shared]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == {"preferences": 2, "corrections": 1, "verdicts": 2, "contradictions": 0}
    pair = read_preferences(Path("lessons/preferences.jsonl"))[0]
    medium, asked = pair.prompt[0].parts
    assert (pair.chosen, pair.rejected, asked.text) == ("red", "blue", "Colour?")
    assert medium.digest == Image("photos/a.png").digest
    assert read_messages(Path("lessons/corrections.jsonl"))[0].messages[-1].parts[0].text == "blue"
    assert [one.good for one in read_verdicts(Path("lessons/verdicts.jsonl"))] == [False, True]
    assert main(["feedback", "export", "--out", "none", *shared]) == 0
    assert json.loads(capsys.readouterr().out)["without_media"] == 5
    assert main(["feedback", "erase", "--id", ids[0], *shared]) == 0
    assert main(["feedback", "list", *shared]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [one["id"] for one in json.loads(out[1])["feedback"]] == ids[1:]
    assert main(["feedback", "erase", "--all", *shared]) == 0
    assert not list(Path("kept").glob("tenant-*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "add takes the question"),
        (["add", "What?", "none.png", "--answer", "x", "--verdict", "good"], "none.png"),
        (["add", "--from", "bad.jsonl"], "line 2"),
        (["export"], "--out"),
        (["export", "--out", "x"], "There is no feedback"),
        (["erase"], "one of --id"),
        (["erase", "--id", "fb_0"], "No feedback of 'fb_0'"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = '{"question": "a?", "answer": "b", "verdict": "good"}\n'
    Path("bad.jsonl").write_text(f'{row}{{"question": "a?"}}\n')
    assert main(["feedback", *words, "--in", "kept"]) == 2
    assert said in capsys.readouterr().err
    assert not list(Path("kept").rglob("*.jsonl"))


def test_media_are_kept_only_where_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Picture.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    words = ["feedback", "add", "Colour?", str(tmp_path / "a.png"), "--answer", "red", "--verdict", "good"]
    for folder, more in (("with", ["--keep-media"]), ("without", [])):
        assert main([*words, "--in", str(tmp_path / folder), *more]) == 0
    kept = FeedbackStore(tmp_path / "with", "default")
    medium = JudgedMedium(modality="image", digest=Image(tmp_path / "a.png").digest, name="a.png")
    assert kept.all()[0].media == (medium,)
    assert kept.medium(medium.digest) == (tmp_path / "a.png").read_bytes()
    assert FeedbackStore(tmp_path / "without", "default").medium(medium.digest) is None
