"""Audits from a table to a report, with a model that is planted to be unfair, and one that is not."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from tutti.cli.main import main
from tutti.content import Embeddings, Image, Part, Text, Usage
from tutti.errors import InputError
from tutti.trust.fairness.audit import add_searches, audit
from tutti.trust.fairness.baseline import changes_since
from tutti.trust.fairness.counterfactual import change_of, pairs_of, prompts_for
from tutti.trust.fairness.policy import AuditPolicy, read_policy
from tutti.trust.fairness.table import read_table
from tutti.trust.fairness.tasks import GivenLabels, classify
from tutti.trust.fairness.writing import as_html, as_markdown, write_audit

LABELS = ("cook", "pilot", "judge", "nurse", "farmer")
TONES = ("light", "medium", "dark")


def pack(folder: Path, copies: int = 4) -> Path:
    """Pictures of one colour each: red tells the job, green the gender, blue the tone."""
    folder.mkdir()
    rows = []
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        for job, label in enumerate(LABELS):
            for gender in ("man", "woman"):
                for tone, name in enumerate(TONES):
                    for copy in range(copies):
                        file = f"{label}-{gender}-{name}-{copy}.png"
                        stored = io.BytesIO()
                        pillow.new("RGB", (8, 8), (40 * job + 20, 255 * (gender == "man"), 100 * tone + copy)).save(
                            stored, "PNG"
                        )
                        archive.writestr(file, stored.getvalue())
                        rows.append({"file": file, "label": label, "gender": gender, "skin_tone": name})
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


class Eyes:
    """Tells jobs by red; where it is unfair, it sees a nurse in half of the women."""

    name = "eyes"

    def __init__(self, *, unfair: bool) -> None:
        self.unfair = unfair

    def sharpness(self, modality: str) -> float:
        return 20.0

    def embed(self, parts: Sequence[Part], tenant: str | None = None) -> Embeddings:
        return Embeddings(vectors=np.stack([self._of(part) for part in parts]), model="eyes", usage=Usage())

    def _of(self, part: Part) -> np.ndarray:
        if isinstance(part, Text):
            return np.eye(len(LABELS), dtype=np.float32)[LABELS.index(part.text.split()[-1])]
        assert isinstance(part, Image)
        red, green, blue = np.asarray(pillow.open(io.BytesIO(part.source)))[0, 0]  # type: ignore[arg-type]
        job = int(red) // 40
        if self.unfair and green == 0 and blue % 2:
            job = LABELS.index("nurse")
        return np.eye(len(LABELS), dtype=np.float32)[job]


def audited(folder: Path, *, unfair: bool):  # type: ignore[no-untyped-def]
    rows = read_table(folder, ["gender", "skin_tone"])
    model = Eyes(unfair=unfair)
    said = classify(model, rows, LABELS, "{}")
    report = audit("eyes", str(folder), rows, ["gender", "skin_tone"], said, AuditPolicy(), positive="nurse")
    return add_searches(report, rows, ["gender", "skin_tone"], said, model, ["a nurse", "a pilot"], AuditPolicy())


def test_an_unfair_model_is_past_and_a_fair_one_is_not(tmp_path: Path) -> None:
    folder = pack(tmp_path / "pack")
    fair, unfair = audited(folder, unfair=False), audited(folder, unfair=True)
    assert not fair.past
    assert fair.accuracy == 1
    past = {(one.figure, one.attribute) for one in unfair.findings if one.verdict == "past"}
    assert ("accuracy gap", "gender") in past
    assert ("false positive rate gap", "gender") in past
    assert all("skin_tone" not in attribute or "gender" in attribute for _, attribute in past)
    assert {gap.attribute for gap in unfair.gaps} == {"gender", "skin_tone", "gender x skin_tone"}


def test_counterfactual_pairs_differ_in_one_attribute(tmp_path: Path) -> None:
    rows = read_table(pack(tmp_path / "pack", copies=1), ["gender", "skin_tone"])
    pairs = list(pairs_of(rows, "gender"))
    assert len(pairs) == len(LABELS) * len(TONES)
    for one, other in pairs:
        assert rows[one].label == rows[other].label
        assert rows[one].groups["skin_tone"] == rows[other].groups["skin_tone"]
    said = GivenLabels([row.label if row.groups["gender"] == "man" else "nurse" for row in rows], [])
    change = change_of(rows, said, "gender")
    assert change is not None
    assert (change.changed, change.favoured, change.favour) == (pytest.approx(0.8), "man", 1.0)


def test_reports_say_what_they_cannot_say(tmp_path: Path) -> None:
    report = audited(pack(tmp_path / "pack"), unfair=True)
    written = write_audit(tmp_path / "out", report)
    assert [path.name for path in written] == ["audit.md", "audit.html", "audit.json"]
    text = as_markdown(report)
    assert "What this audit cannot say" in text
    assert "rows a group" in text
    assert "<script" not in as_html(report)
    same = changes_since(report, written[2])
    assert same
    assert not any(change.worse for change in same)
    fair = audited(tmp_path / "pack", unfair=False)
    write_audit(tmp_path / "before", fair)
    assert any(change.worse for change in changes_since(report, tmp_path / "before/audit.json"))


def test_tables_of_other_makers_are_read(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("file,age,gender,race,service_test\nval/1.jpg,50-59,Male,East Asian,True\n")
    (row,) = read_table(tmp_path / "val.csv", ["gender", "race"], label="age")
    assert (row.label, dict(row.groups)) == ("50-59", {"gender": "Male", "race": "East Asian"})
    with pytest.raises(InputError, match="no such file; name the folder"):
        row.open()
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 7, "name": "skier"}],
        "annotations": [{"image_id": 1, "category_id": 7, "attributes": {"gender": "woman"}}, {"image_id": 2}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    (only,) = read_table(tmp_path / "coco.json", ["gender"])
    assert (only.name, only.label, only.groups["gender"]) == ("a.jpg", "skier", "woman")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("file,label\na.jpg,dog\n", "has no column 'gender'; it has: file, label"),
        ("label,gender\ndog,m\n", "no column of files"),
        ("file,label,gender\n,,\n", "No row of"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "table.csv", ["gender"])


def test_policies_are_read_strictly(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[audit]\nmax_accuracy_gap = 0.1\n")
    assert read_policy(tmp_path / "a.toml").max_accuracy_gap == 0.1
    for text, message in (
        ("max_gap = 1", "unknown key 'max_gap'"),
        ("alpha = 'x'", "expected a number"),
        ("=", "no TOML"),
    ):
        (tmp_path / "b.toml").write_text(text)
        with pytest.raises(InputError, match=message):
            read_policy(tmp_path / "b.toml")


def test_prompts_for_hosted_models_are_a_suite(tmp_path: Path) -> None:
    from tutti.evaluate.suite import read_suite

    rows = read_table(pack(tmp_path / "pack", copies=1), ["gender"])
    suite = read_suite(prompts_for(rows, "What is this person's job?", tmp_path / "suite"))
    assert len(suite.cases) == len(rows)


def test_the_command_says_how_many_rows_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--rows-needed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows_per_group"] > 1000
    assert main(["audit"]) == 2
    assert "--data TABLE and --by" in capsys.readouterr().err
