"""The tab Search, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

import html
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tutti.apps.page.rooms import Loading, Rooms, player, stoppable, tenant_of, told
from tutti.apps.page.searching import FoundItem, copy_for_showing
from tutti.apps.page.stop_button import wire_stop
from tutti.errors import TuttiError

_ASKED_ABOUT = 4
_MOST_SHOWN = 12


def build(rooms: Rooms, question: Any, tabs: Any, session: Any) -> Loading:
    """Draw the tab.

    Args:
        rooms: What searches.
        question: The box of the tab Ask.
        tabs: All tabs, to change to Ask.
        session: Id of the person's conversation, whose stop ends the work.

    Returns:
        What shows the last results again when the page is loaded again.
    """
    import gradio as gr

    names = list(rooms.options.indexes)
    if not names:
        gr.Markdown("Start the page with `--index DB` to search here; `tutti index FOLDER --into DB` makes one.")
    index, words, like, where, moments, top, go, stop, about = _inputs(names)
    found, count, gallery, shown = _found_parts()

    def search(
        name: str | None, text: str | None, file: str | None, condition: str | None, every: bool | None,
        most: float | None, known: str, request: gr.Request,
    ) -> Any:  # fmt: skip
        tenant = tenant_of(request)
        dialogue = rooms.dialogues.get(tenant, known)

        def work(step: Callable[[float], None]) -> list[FoundItem]:
            return rooms.searching.search(
                name or "",
                text or "",
                like=file,
                where=condition or "",
                moments=bool(every),
                top=int(most or _MOST_SHOWN),
                tenant=tenant,
                told=step,
            )

        with told(rooms.folder):
            hits = stoppable(dialogue, rooms.reserve, work)
        dialogue.shown["search"] = hits, text or "", condition or ""
        return *_results(hits, rooms.folder), dialogue.id

    def load(name: str | None, known: str, request: gr.Request) -> Any:
        kept = rooms.dialogues.shown(tenant_of(request), known, "search")
        columns = _columns(rooms, name, tenant_of(request))
        if kept is None:
            return *(gr.skip(),) * 5, gr.update(info=columns)
        hits, text, condition = kept
        return *_results(hits, rooms.folder), text, gr.update(value=condition, info=columns)

    given = [index, words, like, where, moments, top, session]
    results = [found, gallery, count, shown]
    gr.on(
        [go.click, words.submit],
        search,
        given,
        [*results, session],
        api_visibility="private",
        concurrency_limit=rooms.options.at_once,
    )
    wire_stop(rooms, stop.click, session)
    _wire_showing(rooms, found, gallery, shown)
    about.click(partial(_ask_about, rooms), found, [question, tabs], api_visibility="private")
    _wire_columns(rooms, index, where)
    return load, [index, session], [*results, words, where]


def _wire_showing(rooms: Rooms, found: Any, gallery: Any, shown: Any) -> None:
    """Have a thumbnail that is chosen show its file."""
    import gradio as gr

    def show(hits: list[FoundItem], data: gr.SelectData) -> str:
        with told(rooms.folder):
            hit = hits[data.index]
            shown = player(copy_for_showing(hit, rooms.folder), hit.start_s, hit.end_s)
        return f"{shown}<p>{html.escape(hit.caption)}</p>"

    gallery.select(show, found, shown, api_visibility="private")


def _wire_columns(rooms: Rooms, index: Any, where: Any) -> None:
    """Have another index tell its columns."""
    import gradio as gr

    def change(name: str | None, request: gr.Request) -> Any:
        return gr.update(info=_columns(rooms, name, tenant_of(request)))

    index.change(change, index, where, api_visibility="private")


def _columns(rooms: Rooms, name: str | None, tenant: str) -> str:
    """What a condition may name; nothing of what cannot be opened, which a search will say."""
    try:
        return f"Columns: {', '.join(rooms.searching.columns(name or '', tenant=tenant))}"
    except TuttiError:
        return ""


def _found_parts() -> tuple[Any, ...]:
    """What was found, how much, its thumbnails, and the one that is looked at."""
    import gradio as gr

    found, count = gr.State(list), gr.Markdown()
    gallery = gr.Gallery(label="Results", columns=3, height="auto", allow_preview=False, interactive=False)
    return found, count, gallery, gr.HTML()


def _results(hits: list[FoundItem], folder: Path) -> tuple[Any, ...]:
    """What was found, its thumbnails, how much it is, and a player that is empty."""
    pictures = [(_thumbnail(hit, folder), hit.caption) for hit in hits]
    said = f"{len(hits)} found; choose one to see or hear it." if hits else "Nothing was found."
    return hits, pictures, said, ""


def _ask_about(rooms: Rooms, hits: list[FoundItem]) -> Any:
    import gradio as gr

    here = [hit for hit in hits if hit.path is not None and Path(hit.path).is_file() and hit.modality != "text"]
    if not here:
        gr.Info("Search first, for something that is not words alone.")
        return gr.skip(), gr.skip()
    with told(rooms.folder):
        files = [copy_for_showing(hit, rooms.folder) for hit in here[:_ASKED_ABOUT]]
    return {"text": "What do these have in common?", "files": files}, gr.Tabs(selected="ask")


def _inputs(names: list[str]) -> tuple[Any, ...]:
    """What is searched for, and the three buttons."""
    import gradio as gr

    with gr.Row():
        index = gr.Dropdown(names, value=names[0] if names else None, label="Index", min_width=160)
        words = gr.Textbox(label="Words", placeholder="a dog on the beach", scale=3, min_width=240)
    with gr.Accordion("Like a file, conditions, moments", open=False):
        like = gr.File(label="Something to be like", type="filepath", height=165)
        where = gr.Textbox(label="Condition on columns", placeholder="price < 50 and stock > 0")
        moments = gr.Checkbox(label="All moments of films and recordings")
        top = gr.Slider(1, 50, value=_MOST_SHOWN, step=1, label="Most results")
    with gr.Row():
        go = gr.Button("Search", variant="primary", min_width=120)
        stop = gr.Button("Stop", min_width=80)
        about = gr.Button("Ask about the first of these", min_width=140)
    return index, words, like, where, moments, top, go, stop, about


def _thumbnail(hit: FoundItem, folder: Path) -> str:
    place = Path(tempfile.mkdtemp(dir=folder))
    if hit.thumbnail is not None:
        (place / "thumbnail.jpg").write_bytes(hit.thumbnail)
        return str(place / "thumbnail.jpg")
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (320, 240), "#e2e8f0")
    font = ImageFont.load_default(36)
    ImageDraw.Draw(picture).text((160, 120), hit.modality, fill="#334155", font=font, anchor="mm")
    picture.save(place / "thumbnail.png")
    return str(place / "thumbnail.png")
