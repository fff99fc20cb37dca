"""What the tabs share: the rooms that do the work, whose a request is, and errors as people read them."""

from __future__ import annotations

import html
import mimetypes
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from tutti.apps.page.applications import PageApplications
from tutti.apps.page.asking import AskRoom
from tutti.apps.page.comparing import CompareRoom
from tutti.apps.page.conversations import Dialogues, KeptDialogue
from tutti.apps.page.feedback import PageFeedback
from tutti.apps.page.models import Models
from tutti.apps.page.options import MOUNTED_AT, PageOptions, Reserve
from tutti.apps.page.redacting import RedactRoom
from tutti.apps.page.searching import SearchRoom
from tutti.apps.page.views import Moment
from tutti.content.feedback import Consent
from tutti.errors import TuttiError
from tutti.media import Limits
from tutti.model import Model
from tutti.search.answer.answers import clock
from tutti.settings import DEFAULT_TENANT, read_settings

Made = TypeVar("Made")
_LOOK_S = 0.1


Loading: TypeAlias = tuple[Callable[..., Any], Any, list[Any]]
"""What is run when the page is loaded, on what, and what it fills."""


@dataclass(frozen=True)
class Rooms:
    """What the handlers of the tabs work with."""

    options: PageOptions
    folder: Path
    reserve: Reserve
    models: Models
    dialogues: Dialogues
    asking: AskRoom
    searching: SearchRoom
    redacting: RedactRoom
    comparing: CompareRoom
    feedback: PageFeedback
    applications: PageApplications


def make_rooms(options: PageOptions, opens: Callable[[str], Model], folder: Path, reserve: Reserve) -> Rooms:
    """The rooms of a page."""
    models = Models(options.models, opens)
    asking = AskRoom(models, Limits.from_settings(read_settings()))
    return Rooms(
        options,
        folder,
        reserve,
        models,
        Dialogues(options.keep_s),
        asking,
        SearchRoom(options.indexes, models),
        RedactRoom(folder, opens),
        CompareRoom(asking),
        PageFeedback(options.feedback),
        PageApplications(options.applications, models),
    )


def tenant_of(request: Any) -> str:
    """Whose a request of Gradio's is: what the server's gate has found."""
    state = getattr(getattr(request, "request", None), "state", None)
    return str(getattr(state, "tenant", None) or DEFAULT_TENANT)


class Stopped(TuttiError):
    """The person has stopped it."""


def stepping(dialogue: KeptDialogue, progress: Any, desc: str) -> Callable[[float], None]:
    """What long work calls with how much is done, from 0 to 1: it shows that, and ends the work once it is stopped.

    Args:
        dialogue: Whose `stop` ends it; what was stopped before does not.
        progress: Of Gradio.
        desc: What is being done.
    """
    dialogue.stop.clear()

    def step(done: float) -> None:
        if dialogue.stop.is_set():
            raise Stopped("Stopped; nothing was kept.")
        progress(done, desc=desc)

    step(0.0)
    return step


def counting(dialogue: KeptDialogue, progress: Any) -> Callable[[float], None]:
    """As `stepping`, for work of which only the seconds of the medium are known that are done."""
    step = stepping(dialogue, lambda *_, **__: progress((0, None), desc="Looking"), "")

    def count(seconds: float) -> None:
        step(0.0)
        progress((int(seconds), None), desc=f"{seconds:.0f} s are looked at")

    return count


def stoppable(dialogue: KeptDialogue, reserve: Reserve, work: Callable[[Callable[[float], None]], Made]) -> Made:
    """What some work makes, unless the person stops waiting for it.

    The work runs on a thread of its own, in the place of an answer, which it holds until it has ended: whoever stops it
    is answered at once, and the work ends at its next step, or what it makes is thrown away.

    Args:
        dialogue: Whose `stop` ends it; what was stopped before does not.
        reserve: Entered while it works.
        work: Given what to call with how much is done, from 0 to 1.

    Raises:
        Stopped: The person stopped it.
        TuttiError: As the work does.
    """
    stop = dialogue.stop = threading.Event()
    done: Future[Made] = Future()

    def step(_: float) -> None:
        if stop.is_set():
            raise Stopped("Stopped; nothing was kept.")

    def run() -> None:
        try:
            with reserve():
                made = work(step)
        except BaseException as error:  # noqa: BLE001 it is raised where it is waited for
            done.set_exception(error)
        else:
            done.set_result(made)

    threading.Thread(target=run, daemon=True).start()
    while True:
        try:
            return done.result(timeout=_LOOK_S)
        except TimeoutError:
            if done.done():
                raise  # the work's own
            step(0.0)


def is_keyed(request: Any) -> bool:
    """Whether a request came to a server with keys, so that it is perhaps of another's machine."""
    return bool(getattr(getattr(getattr(request, "request", None), "state", None), "keyed", False))


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Show errors of the tree as the sentences that they are, without the page's own folder in them."""
    import gradio as gr

    try:
        yield
    except TuttiError as error:
        raise gr.Error(
            html.escape(without_folder(str(error), folder), quote=False), duration=None, print_exception=False
        ) from None


def without_folder(text: str, folder: Path) -> str:
    """A sentence in which files of the page's folder go by their names."""
    return re.sub(rf"{re.escape(str(folder))}/(?:[^/\s]+/)?", "", text)


def consent_of(learn: bool | None) -> Consent:
    """What a person allows who has ticked, or not, that models may learn from it."""
    return "training" if learn else "measuring"


def choices(models: Models) -> list[tuple[str, str]]:
    """The models as people choose them: where an answer comes from elsewhere, the name says so."""
    told = "{} (elsewhere: questions and files are sent there)"
    return [(told.format(name) if models.is_elsewhere(name) else name, name) for name in models.names]


def player(path: str, start_s: float | None = None, end_s: float | None = None) -> str:
    """A file of the page's folder as HTML: a player from its time, a picture, or a link."""
    times = f"#t={start_s:.1f}" + (f",{end_s:.1f}" if end_s is not None else "") if start_s is not None else ""
    address = html.escape(f"{MOUNTED_AT}/gradio_api/file={quote(path)}{times}", quote=True)
    name = html.escape(Path(path).name, quote=True)
    kind = (mimetypes.guess_type(path)[0] or "").partition("/")[0]
    if kind in {"video", "audio"}:
        return f'<div class="player"><{kind} src="{address}" controls title="{name}"></{kind}></div>'
    if kind == "image":
        return f'<div class="player"><img src="{address}" alt="{name}"></div>'
    return f'<div class="player"><a href="{address}" download>{name}</a></div>'


def spans_player(path: str, moments: Sequence[Moment]) -> str:
    """A recording or film of the page's folder with a button for each moment, which plays it from there."""
    first = moments[0]
    seek = "const p = this.closest('.spans').querySelector('video, audio'); p.currentTime = {:.2f}; p.play()"
    buttons = []
    for one in moments:
        label = html.escape(f"{clock(one.start_s)}–{clock(one.end_s)} {one.label}", quote=True)
        buttons.append(
            f'<button type="button" onclick="{html.escape(seek.format(one.start_s), quote=True)}">{label}</button>'
        )
    return f'<div class="spans">{player(path, first.start_s, first.end_s)}<div>{"".join(buttons)}</div></div>'


def listed(lines: tuple[str, ...] | list[str]) -> str:
    """Lines as Markdown, each as it is: what media say is no markup."""
    return "\n".join(f"- {plain(line)}" for line in lines)


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()#+!|$~" else sign for sign in escaped)
