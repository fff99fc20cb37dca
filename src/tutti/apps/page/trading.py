"""The three applications as the page shows them: what people see of their answers. The applications do the work."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.apps.page.views import Mark
from tutti.errors import InputError

if TYPE_CHECKING:
    from tutti.apps.moderation.http import ModerationApplication
    from tutti.apps.radiology.http import RadiologyApplication
    from tutti.apps.shop.http import ShopApplication
    from tutti.apps.shop.offers import Offer, ShopAnswer


class ShopRoom:
    """A dialogue with the catalogue."""

    def __init__(self, application: ShopApplication) -> None:
        self.application = application

    def ask(
        self, text: str, photo: str | None, *, session: str, tenant: str, told: Callable[[float], None] | None = None
    ) -> tuple[str, list[tuple[str, str]]]:
        """Answer a turn.

        Args:
            text: What the customer says.
            photo: Path of a picture.
            session: Id of the dialogue.
            tenant: Whose catalogue.
            told: Told how much is done, from 0 to 1; what it raises ends the turn, of which nothing is kept.

        Returns:
            The answer in words with its offers, and what may be taken: (label, id).
        """
        picture = Path(photo) if photo else None
        answer = self.application.shop(tenant).ask(text, session=session, photo=picture, told=told)
        offers = [*answer.offers, *(offer for some in answer.alternatives for offer in some.offers)]
        return _told(answer), [(f"{one.number}. {one.title}", one.id) for one in offers]

    def take(self, product: str | None, *, session: str, tenant: str) -> str:
        """Note what a customer takes; what to tell them."""
        if not product:
            raise InputError("Nothing was chosen; ask for something, and choose one of the offers.")
        self.application.shop(tenant).chosen(product, session=session)
        return f"Noted: {product}."

    def forget(self, *, session: str, tenant: str) -> None:
        """Remove a dialogue and its events."""
        self.application.shop(tenant).forget(session)


def _told(answer: ShopAnswer) -> str:
    """The answer, which names offers and prices, then why each is among them."""
    lines = [answer.text, *([answer.photo] if answer.photo else [])]
    lines += [f"• {_reasons(one)}" for one in answer.offers if one.why]
    for some in answer.alternatives:
        why = [f"• {_reasons(one)}" for one in some.offers if one.why]
        lines += [f"{some.what}:", *why] if why else []
    return "\n".join(lines)


def _reasons(offer: Offer) -> str:
    return f"{offer.number}. {offer.title}: {'; '.join(offer.why)}"


class ModerationRoom:
    """Decisions, and what waits for a person."""

    def __init__(self, application: ModerationApplication) -> None:
        self.application = application

    def decide(
        self, path: str | None, caption: str, *, tenant: str, told: Callable[[float], None] | None = None
    ) -> list[str]:
        """Decide on a file, or on words alone.

        Args:
            path: Of the file.
            caption: Words beside it, or alone.
            tenant: Whose.
            told: Told how many seconds of the medium were looked at; what it raises ends the work.

        Returns:
            Lines: the action, then each category with its moments and reasons, then notes.
        """
        from tutti.content import Text
        from tutti.media import wrap

        if path is None and not caption.strip():
            raise InputError("Neither a file nor words were given; expected one of them, or both.")
        part = Text(caption) if path is None else wrap(Path(path))
        name = "text" if path is None else Path(path).name
        values = self.application.decide(part, name, "" if path is None else caption, tenant, told)
        by = f", by {values['by']}" if values.get("by") else ""
        return [f"{str(values['action']).capitalize()}{by}: {name}", *_findings(values)]

    def waiting(self, *, tenant: str) -> list[tuple[str, str]]:
        """What waits, the worst first: (label, id)."""
        return [(f"{row['file']}: {_categories(row)}", row["id"]) for row in self._rows(tenant)]

    def reasons(self, decision: str | None, *, tenant: str) -> list[str]:
        """Why something waits."""
        row = next((row for row in self._rows(tenant) if row["id"] == decision), None)
        return ["Nothing is chosen."] if row is None else [row["file"], *_findings(row)]

    def judge(self, decision: str | None, verdict: str, by: str, *, tenant: str) -> str:
        """Note what a person decides; what to tell them."""
        if decision is None:
            raise InputError("Nothing is chosen; choose what waits, and then decide.")
        if not by.strip():
            raise InputError("No name was given; expected that of the person who decides.")
        from tutti.apps.moderation.running import take_verdicts

        take_verdicts(self.application.journal(tenant), [{"id": decision, "verdict": verdict, "by": by.strip()}])
        return f"{verdict.capitalize()} is noted, by {by.strip()}."

    def _rows(self, tenant: str) -> list[dict[str, Any]]:
        from tutti.apps.moderation.running import review_rows

        return review_rows(self.application.journal(tenant))


def _categories(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{one['category']} {one['score']:.2f}" for one in row["findings"]) or "cannot be judged"


def _findings(values: Mapping[str, Any]) -> list[str]:
    lines = []
    for one in values["findings"]:
        reasons = one.get("reasons") or [sign["reason"] for sign in one["signs"][:4]]
        spans = ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in one["spans"])
        lines.append(f"{one['category']} {one['score']:.2f}{f' at {spans}' if spans else ''}: {'; '.join(reasons)}")
    return [*lines, *values["notes"]]


@dataclass(frozen=True, eq=False)
class CaseView:
    """A case as the page shows it."""

    case: str
    status: str
    shown: str
    """HTML: contradictions first, each sentence with its sources."""
    text: str
    """To edit and to accept; what was signed of a final case."""
    picture: Any = None
    """(H, W, 3) uint8 of a case that was just drafted."""
    marks: tuple[Mark, ...] = ()


class RadiologyRoom:
    """Drafts, their queue, and signing."""

    def __init__(self, application: RadiologyApplication) -> None:
        self.application = application

    def draft(
        self, case: str, images: Sequence[str], history: str, notes: Sequence[str], *, modality: str = "",
        body_part: str = "", tenant: str, told: Callable[[float], None] | None = None,
    ) -> CaseView:  # fmt: skip
        """Draft a case and keep it.

        Args:
            case: Its name.
            images: Paths of DICOM files or pictures.
            history: Words.
            notes: Paths of recordings.
            modality: Of pictures without a header.
            body_part: Of pictures without a header.
            tenant: Whose.
            told: Told how much is done, from 0 to 1; what it raises ends the work, and nothing is kept.
        """
        from tutti.apps.radiology.intake import CaseFiles

        texts: list[Any] = [("history", "history", history)] if history.strip() else []
        files = CaseFiles(images=images, notes=notes, texts=texts, modality=modality, body_part=body_part)
        radiology = self.application.radiology(tenant)
        decoded: list[Any] = []
        draft = radiology.draft(case.strip(), files, told=told, shown=decoded.extend)
        picture, marks = self._marked(draft, decoded)
        return _case_view(radiology.cases.state(draft.case), picture, marks)

    def queue(self, *, tenant: str) -> list[tuple[str, str]]:
        """All cases, the urgent first: (label, case)."""
        rows = self.application.radiology(tenant).cases.queue()
        return [(f"{row['case']}: {row['status']}, urgency {row['urgency']:.1f}", row["case"]) for row in rows]

    def view(self, case: str | None, *, tenant: str) -> CaseView:
        """A case that was drafted."""
        if not case:
            raise InputError("No case is chosen; draft one, or choose one of the queue.")
        return _case_view(self.application.radiology(tenant).cases.state(case))

    def sign(
        self, case: str | None, *, signer: str, key: str | None, password: str, text: str, struck: str, tenant: str,
        keyed: bool = False,
    ) -> CaseView:  # fmt: skip
        """Sign a report. The copy of the key is removed, whatever comes of it.

        Args:
            case: Which.
            signer: First and last name.
            key: Path of the page's copy of the person's key.
            password: Of the key; empty for none.
            text: The report as they accept it.
            struck: A line `F1=reason` for each finding that was struck.
            tenant: Whose.
            keyed: Whether the server has keys: others keep the machine, and nobody hands over a key there.
        """
        if key is None:
            raise InputError("No key was given; expected your Ed25519 key, as made by: tutti radiology key NAME.pem.")
        try:
            if keyed:
                raise InputError(
                    "This page is another's machine, and a key stays with its person; sign with tutti radiology sign, "
                    "or send a signature to /apps/radiology."
                )
            if not case:
                raise InputError("No case is chosen; draft one, or choose one of the queue.")
            state = self.application.radiology(tenant).sign(
                case, signer=signer, key=key, text=text, struck=_struck(struck), password=password or None
            )
        finally:
            Path(key).unlink(missing_ok=True)
        return _case_view(state)

    @staticmethod
    def _marked(draft: Any, images: list[Any]) -> tuple[Any, tuple[Mark, ...]]:
        """The first picture that a sentence points into, otherwise the first, and the places."""
        places: dict[str, dict[Mark, None]] = {}
        for sentence in draft.evident():
            for source in sentence.sources:
                if source.region is not None:
                    places.setdefault(source.name, {})[Mark(source.region, sentence.text)] = None
        shown = next((one for one in images if one.name in places), images[0] if images else None)
        return (None, ()) if shown is None else (shown.picture, tuple(places.get(shown.name, ())))


def _struck(lines: str) -> dict[str, str]:
    found = {}
    for line in filter(str.strip, lines.splitlines()):
        name, sign, reason = line.partition("=")
        if not sign:
            raise InputError(f"{line.strip()!r} strikes nothing; expected a finding and a reason, as in F1=artefact.")
        found[name.strip()] = reason.strip()
    return found


def _case_view(state: Mapping[str, Any], picture: Any = None, marks: tuple[Mark, ...] = ()) -> CaseView:
    from tutti.apps.radiology.report import NOT_FOR_CLINICAL_USE, SECTIONS, Draft

    draft = Draft.from_dict(state["draft"])
    groups = [("contradictions", draft.contradictions), *((name, draft.sections[name]) for name in SECTIONS)]
    parts = [f"<p><strong>{html.escape(NOT_FOR_CLINICAL_USE)}</strong></p>"]
    if state["status"] == "final":
        said = state["final"]["statement"]
        parts.append(f"<p>{html.escape('Signed by {signer}, {at}'.format(**said))}</p>")
    for name, sentences in groups:
        if sentences:
            parts.append(f"<h3>{name.capitalize()}</h3>" + "".join(map(_sentence, sentences)))
    text = state["final"]["statement"]["text"] if state["status"] == "final" else draft.text()
    return CaseView(draft.case, state["status"], f'<div class="case">{"".join(parts)}</div>', text, picture, marks)


def _sentence(sentence: Any) -> str:
    """A sentence that shows its sources when it is pointed at, and unfolds them when it is chosen."""
    sources = [f"{one}{f': “{one.quote}”' if one.quote else ''}" for one in sentence.sources]
    words = html.escape(" ".join([*(f"[{one}]" for one in sentence.findings), sentence.text]))
    listed = "".join(f"<li>{html.escape(one)}</li>" for one in sources)
    title = html.escape("\n".join(sources), quote=True)
    return f'<details><summary title="{title}">{words}</summary><ul>{listed}</ul></details>'
