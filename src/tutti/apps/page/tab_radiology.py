"""The tab Radiology, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

from types import SimpleNamespace
from typing import Any

from tutti.apps.page.rooms import Rooms, is_keyed, stepping, tenant_of, told
from tutti.apps.page.trading import CaseView, RadiologyRoom


def build_radiology(rooms: Rooms, radiology: RadiologyRoom, session: Any) -> None:
    """Draw the tab.

    Args:
        rooms: What the page offers.
        radiology: What drafts and signs.
        session: Id of the person's conversation, whose stop ends the work.
    """
    import gradio as gr

    parts = _draw()
    shown = [parts.case, parts.shown, parts.text, parts.picture, parts.queue]

    def view(one: CaseView, tenant: str) -> Any:
        picture = gr.update(visible=False)
        if one.picture is not None:
            picture = gr.update(value=(one.picture, [(mark.box, mark.label) for mark in one.marks]), visible=True)
        queue = gr.update(choices=radiology.queue(tenant=tenant), value=one.case)
        return one.case, one.shown, gr.update(value=one.text, interactive=one.status != "final"), picture, queue

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
            return *view(made, tenant), dialogue.id

    def end(known: str, request: gr.Request) -> None:
        rooms.dialogues.get(tenant_of(request), known).stop.set()

    def look(request: gr.Request) -> Any:
        with told(rooms.folder):
            return gr.update(choices=radiology.queue(tenant=tenant_of(request)))

    def show(case: str | None, now: str | None, request: gr.Request) -> Any:
        if not case or case == now:
            return (gr.skip(),) * len(shown)
        tenant = tenant_of(request)
        with told(rooms.folder):
            return view(radiology.view(case, tenant=tenant), tenant)

    def sign(
        case: str | None, signer: str | None, key: str | None, password: str | None, text: str | None,
        struck: str | None, request: gr.Request,
    ) -> Any:  # fmt: skip
        tenant = tenant_of(request)
        with told(rooms.folder):
            signed = radiology.sign(
                case, signer=signer or "", key=key, password=password or "", text=text or "", struck=struck or "",
                tenant=tenant, keyed=is_keyed(request),
            )  # fmt: skip
            return *view(signed, tenant), None, ""

    given = [parts.name, parts.images, parts.history, parts.notes, parts.modality, parts.part, session]
    parts.go.click(draft, given, [*shown, session], api_visibility="private", concurrency_limit=rooms.options.at_once)
    parts.stop.click(end, session, None, queue=False, api_visibility="private")
    parts.again.click(look, None, parts.queue, api_visibility="private")
    parts.queue.change(show, [parts.queue, parts.case], shown, api_visibility="private")
    given = [parts.case, parts.signer, parts.key, parts.password, parts.text, parts.struck]
    parts.sign.click(sign, given, [*shown, parts.key, parts.password], api_visibility="private")


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
            parts.images = gr.Files(label="Images", type="filepath", height=140, elem_id="case-images")
            parts.notes = gr.Files(label="Spoken notes", type="filepath", height=140)
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
        parts.key = gr.File(label="Your key (PEM), removed once it was used", type="filepath", height=120)
        parts.sign = gr.Button("Sign", variant="primary")
    return parts
