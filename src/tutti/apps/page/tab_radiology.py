"""The tab Radiology, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from tutti.apps.page.rooms import Loading, Rooms, is_keyed, stepping, tenant_of, told
from tutti.apps.page.stop_button import wire_stop
from tutti.apps.page.trading import CaseView, RadiologyRoom


def build_radiology(rooms: Rooms, radiology: RadiologyRoom, session: Any) -> Loading:
    """Draw the tab.

    Args:
        rooms: What the page offers.
        radiology: What drafts and signs.
        session: Id of the person's conversation, whose stop ends the work.

    Returns:
        What fills the queue, and shows the case again that was drafted last, when the page is loaded.
    """
    import gradio as gr

    parts = _draw()
    shown = [parts.case, parts.shown, parts.text, parts.picture, parts.queue]

    view = partial(_view, rooms, radiology)

    def draft(  # noqa: PLR0913, PLR0917 - Gradio gives each field as one argument
        name: str | None, images: list[str] | None, history: str | None, notes: list[str] | None,
        modality: str | None, part: str | None, known: str, request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 this is how Gradio is asked for one
    ) -> Any:  # fmt: skip
        tenant = tenant_of(request)
        dialogue = rooms.dialogues.get(tenant, known)
        with told(rooms.folder), rooms.reserve():
            made = radiology.draft(
                name or "", images or [], history or "", notes or [], modality=modality or "", body_part=part or "",
                tenant=tenant, told=stepping(dialogue, progress, "Drafting"),
            )  # fmt: skip
            dialogue.shown["radiology"] = made
            return *view(made, tenant, dialogue.id), dialogue.id

    def look(request: gr.Request) -> Any:
        return _queued(rooms, radiology, tenant_of(request))

    def load(known: str, request: gr.Request) -> Any:
        made = rooms.dialogues.shown(tenant_of(request), known, "radiology")
        if made is None:
            return *(gr.skip(),) * (len(shown) - 1), look(request)
        return show(made.case, None, known, request)  # as it is by now: perhaps it was signed

    def show(case: str | None, now: str | None, known: str, request: gr.Request) -> Any:
        if not case or case == now:
            return (gr.skip(),) * len(shown)
        tenant = tenant_of(request)
        with told(rooms.folder):
            return view(radiology.view(case, tenant=tenant), tenant, known)

    def sign(
        case: str | None, signer: str | None, key: str | None, password: str | None, text: str | None,
        struck: str | None, known: str, request: gr.Request,
    ) -> Any:  # fmt: skip
        with told(rooms.folder):
            tenant = tenant_of(request)
            signed = radiology.sign(
                case, signer=signer or "", key=key, password=password or "", text=text or "", struck=struck or "",
                tenant=tenant, keyed=is_keyed(request),
            )  # fmt: skip
            return *view(signed, tenant, known), None, ""

    given = [parts.name, parts.images, parts.history, parts.notes, parts.modality, parts.part, session]
    parts.go.click(draft, given, [*shown, session], api_visibility="private", concurrency_limit=rooms.options.at_once)
    wire_stop(rooms, parts.stop.click, session)
    parts.again.click(look, None, parts.queue, api_visibility="private")
    parts.queue.change(show, [parts.queue, parts.case, session], shown, api_visibility="private")
    signed = [parts.case, parts.signer, parts.key, parts.password, parts.text, parts.struck, session]
    parts.sign.click(sign, signed, [*shown, parts.key, parts.password], api_visibility="private")
    return load, session, shown


def _queued(rooms: Rooms, radiology: RadiologyRoom, tenant: str) -> Any:
    import gradio as gr

    with told(rooms.folder):
        return gr.update(choices=radiology.queue(tenant=tenant))


def _view(rooms: Rooms, radiology: RadiologyRoom, one: CaseView, tenant: str, known: str) -> tuple[Any, ...]:
    """A case as the tab shows it: its name, sentences, text, picture, and its place in the queue.

    Cases hold no pictures: one that was drafted in this conversation has that of its draft.
    """
    import gradio as gr

    made = rooms.dialogues.shown(tenant, known, "radiology")
    if one.picture is None and made is not None and made.case == one.case:
        one = replace(one, picture=made.picture, marks=made.marks)
    picture = gr.update(visible=False)
    if one.picture is not None:
        picture = gr.update(value=(one.picture, [(mark.box, mark.label) for mark in one.marks]), visible=True)
    queue = gr.update(choices=radiology.queue(tenant=tenant), value=one.case)
    return one.case, one.shown, gr.update(value=one.text, interactive=one.status != "final"), picture, queue


def _draw() -> SimpleNamespace:
    import gradio as gr

    parts = SimpleNamespace(case=gr.State(""))
    with gr.Row():
        parts.queue = gr.Dropdown([], label="Cases, the urgent first", min_width=240, scale=2)
        parts.again = gr.Button("Look again", min_width=120)
    with gr.Accordion("A new case", open=True):
        with gr.Row():
            parts.name = gr.Textbox(label="Name of the case", min_width=160, elem_id="case-name")
            parts.modality = gr.Textbox(label="Modality of pictures", placeholder="DX", min_width=140)
            parts.part = gr.Textbox(label="Body part of pictures", placeholder="CHEST", min_width=140)
        with gr.Row():
            parts.images = gr.Files(label="Images", type="filepath", height=165, elem_id="case-images")
            parts.notes = gr.Files(label="Spoken notes", type="filepath", height=165)
        parts.history = gr.Textbox(label="History", lines=3)
        with gr.Row():
            parts.go = gr.Button("Draft", variant="primary", min_width=120)
            parts.stop = gr.Button("Stop", min_width=80)
    with gr.Row():
        with gr.Column(min_width=280):
            parts.picture = gr.AnnotatedImage(label="Where it was seen", visible=False)
        with gr.Column(min_width=280):
            parts.shown = gr.HTML()
    parts.text = gr.Textbox(label="The report, to edit and accept", lines=10, elem_id="case-text")
    with gr.Accordion("Sign", open=False):
        parts.struck = gr.Textbox(label="Struck findings, a line each", placeholder="F2=artefact", lines=2)
        with gr.Row():
            parts.signer = gr.Textbox(label="First and last name", min_width=160)
            parts.password = gr.Textbox(label="Password of the key", type="password", min_width=160)
        parts.key = gr.File(
            label="Your key (PEM), removed once it was used", type="filepath", height=165, elem_id="case-key"
        )
        parts.sign = gr.Button("Sign", variant="primary")
    return parts
