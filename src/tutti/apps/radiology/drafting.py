"""A case into a draft: sentences are composed of what sources state, each carries them, and nothing else is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tutti.apps.radiology.assessing import Assessed
from tutti.apps.radiology.intake import CaseImage, CaseText, ClinicalCase, stated_by_header
from tutti.apps.radiology.report import Draft, DraftFinding, Evident, FindingState, ReportSource
from tutti.trust.clinical.contradictions import Contradiction, Stated, StatedPlace, contradictions
from tutti.trust.clinical.identity import identities
from tutti.trust.clinical.lexicon import URGENCY
from tutti.trust.clinical.statements import Polarity, Statement, sentences, statements

PRESENT_FROM, ABSENT_TO = 0.9, 0.1
"""Calibrated probabilities from which a model's word counts as present, and to which as absent."""
_INDICATION = re.compile(
    r"\b(?:indication|reason|clinical (?:question|history)|rule out|r/o|evaluate|query|requested)\b|\?", re.IGNORECASE
)
_HURRY = re.compile(r"\b(?:stat|emergency|urgent|immediately|trauma code)\b", re.IGNORECASE)
_CONCLUSION = re.compile(r"\b(?:impression|conclusion)s?\b", re.IGNORECASE)
_TOLD = {
    "identity": "Different patients by", "side": "Side of", "presence": "Presence of", "size": "Size of",
    "date": "Date of",
}  # fmt: skip


class Drafting:
    """One draft in the making.

    Args:
        case: What was read.
        assessed: What a model says of its images.
    """

    def __init__(self, case: ClinicalCase, assessed: Sequence[Assessed]) -> None:
        self.case, self.assessed = case, assessed
        self.notes = [each for each in case.texts if each.kind == "note"]
        self.priors = [each for each in case.texts if each.kind == "prior"]
        self.histories = [each for each in case.texts if each.kind == "history"]
        self.ids: dict[str, str] = {}
        self.evidence: dict[str, list[tuple[FindingState, ReportSource]]] = {}

    def draft(self, name: str, device: dict[str, str]) -> Draft:
        """The draft of a case by its name."""
        found = self.contradictions()
        sections = {
            "indication": self.indication(),
            "technique": [self.technique(image) for image in self.case.images],
            "comparison": [self.comparison(prior) for prior in self.priors],
            "findings": [*map(self.by_image, self.assessed), *self.dictated()],
        }
        findings = self.findings()
        sections["impression"] = self.impression(findings)
        patient, who = self.whose()
        return Draft(
            case=name, made=datetime.now(UTC).isoformat(timespec="seconds"), patient=patient, name=who,
            contradictions=tuple(self.contradiction(each) for each in found),
            sections={key: tuple(values) for key, values in sections.items()}, findings=tuple(findings),
            urgency=self.urgency(findings, found), device=device,
        )  # fmt: skip

    def stated(self) -> list[Stated]:
        """What each source states, the model's word where it is calibrated and sure."""
        found = [stated_by_header(image) for image in self.case.images]
        found += [text.stated() for text in self.case.texts]
        for each in self.assessed:
            if each.calibrated and each.probability is not None:
                sure: Polarity = "present" if each.probability >= PRESENT_FROM else "absent"
                if each.probability >= PRESENT_FROM or each.probability <= ABSENT_TO:
                    said = Statement(subject=each.finding.name, is_part=False, polarity=sure, side="", size_mm=None,
                                     tense="now", start=0, end=0)  # fmt: skip
                    found.append(Stated(each.image.name, "image", (said,), ()))
        return found

    def contradictions(self) -> list[Contradiction]:
        """Where the sources cannot all be right."""
        return contradictions(self.stated())

    def contradiction(self, each: Contradiction) -> Evident:
        """A contradiction as a sentence with both sources."""
        what = f"{_TOLD[each.kind]} {each.subject}"
        text = (
            f"{what}: {each.first.value} in {each.first.source}, {each.second.value} in {each.second.source}; one of "
            "them is wrong."
        )
        return Evident(text=text, sources=(self._place(each, each.first), self._place(each, each.second)))

    def _place(self, each: Contradiction, place: StatedPlace) -> ReportSource:
        for text in self.case.texts:
            if text.name == place.source:
                return text.source(place.start, place.end)
        for one in self.assessed:
            if one.image.name == place.source and one.finding.name == each.subject:
                return self._seen(one)
        return ReportSource(kind="header", name=place.source, quote=f"{each.subject}={place.value}")

    def indication(self) -> list[Evident]:
        """Sentences of the history that say why; its first one where none does."""
        found = []
        for text in self.histories:
            spans = list(sentences(text.text))
            chosen = [span for span in spans if _INDICATION.search(text.text[slice(*span)])]
            about = [span for span in spans if not identities(text.text[slice(*span)])]
            found += [_quoted("History", text, *span) for span in chosen or about[:1] or spans[:1]]
        return found

    def technique(self, image: CaseImage) -> Evident:
        """What was examined, and how, as its header says; of a picture, its size and what the caller says."""
        header = image.header
        height, width = image.picture.shape[:2]
        size = f"{image.frames} frame{'s' if image.frames > 1 else ''} of {width} × {height} pixels"
        whole = ReportSource(kind="image", name=image.name, region=(0, 0, width, height), frame=image.frame)
        if header is None:
            said = " ".join(filter(None, (self.case.modality, self.case.body_part)))
            given = (ReportSource(kind="given", name="caller", quote=said),) if said else ()
            how = f"{said}, as the caller states" if said else "modality and body part are not known"
            return Evident(
                text=f"{image.name}: a picture, {size}; {how}; laterality is not known.", sources=(whole, *given)
            )
        values = {"Modality": header.modality, "BodyPartExamined": header.body_part, "ViewPosition": header.view,
                  "Laterality": header.laterality}  # fmt: skip
        told = ", ".join(f"{name} {value}" for name, value in values.items() if value)
        unknown = ", ".join(name for name, value in values.items() if not value)
        quote = ", ".join(f"{name}={value}" for name, value in values.items())
        over = f"; {header.overlays} overlay{'s' if header.overlays > 1 else ''}, not shown" if header.overlays else ""
        missing = f"; not stated: {unknown}" if unknown else ""
        text = f"{image.name}: {told or 'nothing is stated'}; {size}{over}{missing}."
        return Evident(text=text, sources=(ReportSource(kind="header", name=image.name, quote=quote), whole))

    def comparison(self, prior: CaseText) -> Evident:
        """A prior report, with what it concludes."""
        spans = list(sentences(prior.text))
        marked = next((place for place, span in enumerate(spans) if _CONCLUSION.search(prior.text[slice(*span)])), None)
        stating = [span for span in spans if statements(prior.text[slice(*span)])]
        chosen = spans[marked] if marked is not None else stating[0] if stating else spans[0]
        if marked is not None and not statements(prior.text[slice(*chosen)]) and marked + 1 < len(spans):
            chosen = (chosen[0], spans[marked + 1][1])
        return _quoted("Prior report", prior, *chosen)

    def by_image(self, each: Assessed) -> Evident:
        """What the model says of one finding, or why it says nothing."""
        name, number = each.finding.name, self._id(each.finding.name)
        source = self._seen(each)
        if each.probability is None:
            self._note(name, "not assessable", source)
            text = f"{name.capitalize()} is not assessable in {each.image.name}: {each.reason}."
            return Evident(text=text, sources=(source,), findings=(number,))
        state = _state(each.probability, each.calibrated)
        self._note(name, state, source)
        side = _side_of(each.image)
        told = {"present": "is judged present", "possible": "is possible", "absent": "is judged absent"}[state]
        sure = "calibrated" if each.calibrated else "not calibrated for this model"
        where = f"image of the {side} side" if side else "side not assessable: laterality is not stated"
        chance = f"probability {each.probability:.2f} ({sure})"
        text = f"{name.capitalize()} {told} by the model in {each.image.name}: {chance}; {where}."
        return Evident(text=text, sources=(source,), findings=(number,))

    def _seen(self, each: Assessed) -> ReportSource:
        height, width = each.image.picture.shape[:2]
        region = each.region[:4] if each.region is not None else (0, 0, width, height)
        score = each.region.score if each.region is not None else None
        return ReportSource(kind="image", name=each.image.name, region=region, frame=each.image.frame, score=score)

    def dictated(self) -> list[Evident]:
        """Every sentence of the notes, as it was said."""
        found = []
        for note in self.notes:
            for start, end in sentences(note.text):
                source = note.source(start, end)
                said = [one for one in statements(note.text[start:end]) if not one.is_part and one.tense == "now"]
                for one in said:
                    state: FindingState = "possible" if one.polarity == "uncertain" else one.polarity
                    self._note(one.subject, state, source)
                numbers = dict.fromkeys(self._id(one.subject) for one in said)
                text = f"Dictated: “{_one_line(note.text[start:end])}”"
                found.append(Evident(text=text, sources=(source,), findings=tuple(numbers)))
        return found

    def _id(self, name: str) -> str:
        return self.ids.setdefault(name, f"F{len(self.ids) + 1}")

    def _note(self, name: str, state: FindingState, source: ReportSource) -> None:
        self._id(name)
        self.evidence.setdefault(name, []).append((state, source))

    def findings(self) -> list[DraftFinding]:
        """What is said of each finding: what is dictated goes before what a model says."""
        models = {each.finding.name: each for each in self.assessed}
        found = []
        for name, number in self.ids.items():
            model = models.get(name)
            spoken = [state for state, source in self.evidence[name] if source.kind == "note"]
            order: tuple[FindingState, ...] = ("present", "possible", "absent", "not assessable")
            state = min(spoken or [state for state, _ in self.evidence[name]], key=order.index)
            found.append(DraftFinding(
                id=number, name=name, state=state, probability=model.probability if model else None,
                calibrated=bool(model and model.calibrated), reason=model.reason if model else "",
                side=_side_of(model.image) if model else "", urgency=URGENCY.get(name, 1),
            ))  # fmt: skip
        return found

    def impression(self, findings: Sequence[DraftFinding]) -> list[Evident]:
        """Findings that are present or possible, the urgent first; else that none is."""
        shown = [each for each in findings if each.state in ("present", "possible")]
        shown.sort(key=lambda each: (-each.urgency, each.state != "present", -(each.probability or 0)))
        found = []
        for each in shown:
            sources = tuple(source for state, source in self.evidence[each.name] if state == each.state)
            by = " and ".join(dict.fromkeys("dictation" if one.kind == "note" else "the model" for one in sources))
            found.append(
                Evident(text=f"{each.name.capitalize()} {each.state} by {by}.", sources=sources, findings=(each.id,))
            )
        if not found and findings:
            sources = tuple(source for each in findings for _, source in self.evidence[each.name])
            for state, words in (("absent", "Stated or judged to be absent"), ("not assessable", "Not assessable")):
                named = [each for each in findings if each.state == state]
                if named:
                    own = tuple(source for each in named for _, source in self.evidence[each.name])
                    text = f"{words}: {', '.join(each.name for each in named)}."
                    found.append(Evident(text=text, sources=own or sources, findings=tuple(each.id for each in named)))
        return found

    def urgency(self, findings: Sequence[DraftFinding], found: Sequence[Contradiction]) -> float:
        """From 0 to 3; what nobody could assess, and what may be another patient's, is not put last."""
        weights = {"present": 1.0, "possible": 0.5, "absent": 0.0, "not assessable": 0.0}
        scores = [each.urgency * weights[each.state] for each in findings]
        if not findings or any(each.state == "not assessable" for each in findings):
            scores.append(1.0)
        if any(each.kind == "identity" for each in found):
            scores.append(2.0)
        if any(_HURRY.search(text.text) for text in self.histories):
            scores.append(2.0)
        return max(scores)

    def whose(self) -> tuple[str, str]:
        """Identifier and name of the patient that the first source with them states."""
        found = {"patient id": "", "name": ""}
        for source in self.stated():
            for each in source.identities:
                if each.kind in found and not found[each.kind]:
                    found[each.kind] = each.written
        return found["patient id"], found["name"]


def _state(probability: float, calibrated: bool) -> FindingState:
    """A probability that is not calibrated, or not sure, makes nothing present or absent."""
    if not calibrated or ABSENT_TO < probability < PRESENT_FROM:
        return "possible"
    return "present" if probability >= PRESENT_FROM else "absent"


def _side_of(image: CaseImage) -> str:
    return {"L": "left", "R": "right"}.get(image.header.laterality if image.header is not None else "", "")


def _quoted(what: str, text: CaseText, start: int, end: int) -> Evident:
    return Evident(text=f"{what} {text.name}: “{_one_line(text.text[start:end])}”", sources=(text.source(start, end),))


def _one_line(text: str) -> str:
    return " ".join(text.split())
