"""A shop that is talked to: a catalogue, sessions, and for every turn an answer made of facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutti.apps.shop.events import EventLog
from tutti.apps.shop.offers import Alternatives, Offer, ShopAnswer, offers_of
from tutti.apps.shop.sessions import Sessions
from tutti.apps.shop.wording import PROMPT, composed, keeps_to_facts
from tutti.content import Image, Message, SamplingOptions
from tutti.content.streams import answer_of_stream
from tutti.errors import InputError
from tutti.interfaces import Responder, Sealer
from tutti.media import decode_image, wrap
from tutti.search.catalogue.assortment import Assortment
from tutti.search.catalogue.catalogue import Catalogue
from tutti.search.dialogue.keeping import after
from tutti.search.dialogue.reading import TurnReader
from tutti.search.dialogue.relaxing import Relaxed, improvements, relaxations
from tutti.search.dialogue.sifting import Fits, ShopSetting, all_fit, ranked
from tutti.search.dialogue.wishes import SeenPhoto, ShopState, TurnReading, Wish
from tutti.search.looks.product_look import look_of_photo
from tutti.search.query.searcher import embed_words
from tutti.settings import DEFAULT_TENANT

_LONGEST_TURN = 1000
NOTHING_WANTED = "What are you looking for? Name a kind of thing, a colour, a size or a price, or give a photograph."


class Shop:
    """Answers customers of one tenant's catalogue.

    Args:
        path: Folder of the catalogue's database.
        model: What embeds, as for `Catalogue`.
        tenant: Whose.
        sessions: Folder of sessions and events, each tenant's in one of its own; beside the catalogue when not given.
        sealer: Seals sessions and events on the disk.
        setting: How what fits is ordered.
        responder: Words answers anew, if it keeps to the facts; None leaves them as they are composed.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        model: Any,
        *,
        tenant: str = DEFAULT_TENANT,
        sessions: str | PathLike[str] | None = None,
        sealer: Sealer | None = None,
        setting: ShopSetting | None = None,
        responder: Responder | None = None,
    ) -> None:
        self.catalogue = Catalogue(path, model, tenant=tenant)
        place = self.catalogue.index.place
        if sessions is None and place.remote:
            raise InputError(f"{place} is in an object store, where sessions cannot be kept; name a folder for them.")
        folder = Path(sessions).expanduser() if sessions is not None else Path(place.name) / ".shop"
        self.sessions, self.events = Sessions(folder, tenant, sealer), EventLog(folder, tenant, sealer)
        self.setting, self.responder = setting or ShopSetting(), responder
        self._text_vector = lru_cache(maxsize=1024)(self._embed_text)

    def ask(
        self,
        text: str,
        *,
        session: str = "default",
        photo: Any = None,
        on_sheet: bool | None = None,
        told: Callable[[float], None] | None = None,
    ) -> ShopAnswer:
        """Answer a turn.

        Args:
            text: What the customer says, in English.
            session: Whose dialogue it goes on with.
            photo: A picture: a path, a `data:` URL, bytes, (H, W, 3) uint8, or a `tutti.Image`.
            on_sheet: Whether a white sheet is known to be in the picture, or not to be; otherwise it is looked for.
            told: Told how much is done, from 0 to 1; what it raises ends the turn, of which nothing is kept.

        Raises:
            InputError: There is no catalogue, the turn is empty or too long, or the photograph cannot be read.
            CapacityError: The photograph is over a budget.
        """
        begun = time.perf_counter()
        if not text.strip() and photo is None:
            raise InputError("The turn is empty; expected words, a photograph, or both.")
        if len(text) > _LONGEST_TURN:
            raise InputError(f"The turn has {len(text):,} characters; expected at most {_LONGEST_TURN:,}.")
        step = told or _untold
        assortment = self.catalogue.assortment()
        step(0.2)
        seen = self._seen(photo, on_sheet) if photo is not None else None
        step(0.4)
        with self.sessions.held(session):
            before = self.sessions.load(session)
            if seen is not None:
                before = replace(before, photo=seen, shown=(), anchor=None)
            reading = _with_likeness(TurnReader(assortment).read(text, before), before, seen is not None)
            answer, state = self._answered(assortment, before, reading, session, begun, step)
            step(1.0)
            self.sessions.save(session, state)
            self._note(session, state, reading, answer)
        return answer

    def chosen(self, product: str, *, session: str = "default") -> None:
        """Note that a customer takes a product, for the shop's figures.

        Raises:
            InputError: There is no such product.
        """
        if product not in self.catalogue.assortment().by_id:
            raise InputError(f"There is no product {product!r} in the catalogue; expected an id that was shown.")
        self.events.chosen(session, self.sessions.load(session).turn, product)

    def forget(self, session: str) -> tuple[bool, int]:
        """Remove a session and its events.

        Returns:
            Whether there was a session, and how many events were removed.
        """
        with self.sessions.held(session):
            return self.sessions.forget(session), self.events.forget(session)

    def _answered(
        self,
        assortment: Assortment,
        before: ShopState,
        reading: TurnReading,
        session: str,
        begun: float,
        step: Callable[[float], None],
    ) -> tuple[ShopAnswer, ShopState]:
        following = after(before, reading)
        state, questions = following.state, list(reading.questions)
        understood = bool(reading.wishes or reading.dropped or reading.restart)
        offers: tuple[Offer, ...] = ()
        others: tuple[Alternatives, ...] = ()
        fitting: list[int] = []
        if not state.wishes and not questions and reading.taken is None:
            questions.append(NOTHING_WANTED)
        if state.wishes and (understood or not questions) and reading.taken is None:
            offers, others, fitting = self.found(state, assortment)
            shown = [*offers, *(offer for group in others for offer in group.offers)]
            state = replace(state, shown=tuple(offer.id for offer in shown), anchor=None if shown else state.anchor)
        wishes = tuple(map(str, state.wishes))
        text = composed(offers, others, questions, wishes, len(fitting))
        if reading.taken is not None:
            product = assortment.products[assortment.by_id[reading.taken]]
            text = f"Noted: {product.title} ({product.id}) for {product.price}."
        step(0.6)
        answer = ShopAnswer(
            text=self._worded(text, [*offers, *(offer for group in others for offer in group.offers)], step),
            offers=offers,
            alternatives=others,
            questions=tuple(questions),
            fitting=len(fitting),
            wishes=wishes,
            given_up=tuple(map(str, following.given_up)),
            photo=_told(state.photo),
            session=session,
            turn=state.turn,
            seconds=time.perf_counter() - begun,
        )
        return answer, state

    def found(
        self, state: ShopState, assortment: Assortment, setting: ShopSetting | None = None
    ) -> tuple[tuple[Offer, ...], tuple[Alternatives, ...], list[int]]:
        """What is shown for a state: offers, alternatives, and the places of all that fits, one of each group."""
        setting = setting or self.setting
        vector = self._text_vector(_words(state.wishes))

        def rank(some: Fits) -> list[int]:
            return ranked(state, assortment, some, setting, vector)

        fit = all_fit(state.wishes, assortment)
        fitting = rank(fit)
        shown = fitting[: setting.top]
        variants = np.flatnonzero(fit).tolist() if shown else []
        offers = offers_of(shown, state, state.wishes, assortment, variants)
        if shown:
            relaxed = improvements(state.wishes, assortment, rank, shown)
        else:
            relaxed = relaxations(state.wishes, assortment, rank)
        return offers, _alternatives(relaxed, state, assortment, len(offers) + 1), fitting

    def _seen(self, photo: Any, on_sheet: bool | None) -> SeenPhoto:
        part = wrap(photo, keep=True)
        if not isinstance(part, Image):
            raise InputError(f"The photograph is of modality {part.modality}; expected a picture.")
        tools = self.catalogue.index.tools
        pixels = decode_image(part, tools.limits, at_least=tools.picture_side)
        look = look_of_photo(pixels, on_sheet)
        vector = self.catalogue.index.embedder.embed([Image(pixels)]).vectors[0]
        lightness, a, b = (round(float(value), 2) for value in look.lab)
        return SeenPhoto(
            lab=(lightness, a, b),
            remains=look.remains,
            light=look.light,
            told=look.told,
            pattern=look.pattern,
            finish=look.finish,
            vector=tuple(round(float(value), 5) for value in vector),
        )

    def _embed_text(self, words: str) -> NDArray[np.float32] | None:
        bounds = self.catalogue.index.tools.bounds
        if not words or (bounds is not None and bounds.text_size(words).says_nothing):
            return None
        return np.asarray(embed_words(self.catalogue.index.embedder, [words])[0], np.float32)

    def _worded(self, text: str, offers: Sequence[Offer], step: Callable[[float], None]) -> str:
        """What the responder makes of an answer, if it keeps to the facts; else the answer as composed."""
        if self.responder is None or not offers:
            return text
        events = self.responder.stream([Message.user(PROMPT + text)], SamplingOptions(max_tokens=400))
        worded = answer_of_stream(events, self.responder.name, lambda _: step(0.8)).text.strip()
        return worded if worded and keeps_to_facts(worded, text, offers) else text

    def _note(self, session: str, state: ShopState, reading: TurnReading, answer: ShopAnswer) -> None:
        self.events.asked(session, state, len(answer.questions))
        if reading.taken is not None:
            self.events.chosen(session, state.turn, reading.taken)
            return
        others = [offer.id for group in answer.alternatives for offer in group.offers]
        self.events.shown(session, state.turn, [offer.id for offer in answer.offers], others)


def _untold(done: float) -> None:
    """Where nobody wants to know how much is done."""


def _with_likeness(reading: TurnReading, state: ShopState, is_new: bool) -> TurnReading:
    """A photograph of which nothing particular is asked is something to be like."""
    asked = any(wish.field in ("likeness", "shade") or wish.lab is not None for wish in reading.wishes)
    about = {wish.field for wish in reading.wishes if not wish.values and wish.field != "price"}
    if not is_new or asked or about - {"stock"}:
        return reading
    like = Wish(field="likeness", test="like", said="the photograph", turn=state.turn + 1)
    return replace(reading, wishes=(*reading.wishes, like))


def _alternatives(
    relaxed: Sequence[Relaxed], state: ShopState, assortment: Assortment, start: int
) -> tuple[Alternatives, ...]:
    found = []
    for group in relaxed:
        kept = [wish for wish in state.wishes if wish not in group.without]
        offers = offers_of(group.places, state, kept, assortment, start=start)
        found.append(Alternatives(what=group.what, offers=offers))
        start += len(offers)
    return tuple(found)


def _words(wishes: Sequence[Wish]) -> str:
    """What is wanted, as words that can be embedded."""
    told = [
        wish for wish in wishes if wish.field in ("words", "kind", "colour", "pattern", "finish") and wish.test == "is"
    ]
    order = sorted(told, key=lambda wish: wish.field == "kind")
    return " ".join(dict.fromkeys(value for wish in order for value in wish.values))


def _told(photo: SeenPhoto | None) -> str | None:
    if photo is None:
        return None
    colour = "L* {:.0f} a* {:.0f} b* {:.0f}".format(*photo.lab)
    light = {
        "white sheet": "corrected by the white sheet in it",
        "grey world": "corrected by the mean of its ground, as no white sheet was seen",
        "as photographed": "not corrected, as the thing fills the picture",
    }[photo.light]
    surface = ", ".join(filter(None, (photo.pattern, photo.finish)))
    ground = "" if photo.told else "; the thing could not be told from its ground, so its middle was taken"
    return (
        f"{colour}{f', {surface}' if surface else ''}; the light was {light}: nine of ten such colours lie within "
        f"ΔE {photo.remains:.1f}{ground}"
    )
