"""The tab Ask, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tutti.apps.page.asking import DEFAULT_QUESTION, AskView
from tutti.apps.page.conversations import KeptDialogue, ShownTurn
from tutti.apps.page.examples import DRAWN_EXAMPLES, DrawnExample, drawn
from tutti.apps.page.rooms import Rooms, choices, consent_of, listed, plain, spans_player, tenant_of, told
from tutti.apps.page.stop_button import wire_stop
from tutti.apps.page.views import figures
from tutti.content import Text

_LEAST_S = 0.15
"""Between two views of an answer: each draws the whole conversation again."""


def messages(dialogue: KeptDialogue) -> tuple[list[dict[str, Any]], list[ShownTurn | None]]:
    """A conversation as the chatbot shows it, and whose turn each of its answers is."""
    shown: list[dict[str, Any]] = []
    turns: list[ShownTurn | None] = []
    for turn in dialogue.turns:
        for message in _asked(turn.files, _words(turn)):
            shown.append(message)
            turns.append(None)
        shown.append({"role": "assistant", "content": _answer(turn.answer.text, figures(turn.answer))})
        turns.append(turn)
    return shown, turns


def _words(turn: ShownTurn) -> str:
    return " ".join(part.text for part in turn.asked.parts if isinstance(part, Text))


def _asked(files: tuple[str, ...], question: str) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    for file in files:
        content = {"path": file} if Path(file).is_file() else f"({plain(Path(file).name)}, removed)"
        shown.append({"role": "user", "content": content})
    if question:
        shown.append({"role": "user", "content": question})
    return shown


def _answer(text: str, small: str) -> str:
    return f"{text}\n\n<small>{plain(small)}</small>" if small else text


def build(rooms: Rooms) -> SimpleNamespace:
    """Draw the tab.

    Returns:
        Its components, of which other tabs need some, and what is to be run when the page is opened.
    """
    parts = _draw(rooms)
    _wire_answers(rooms, parts)
    _wire_verdicts(rooms, parts)
    _wire_filling(rooms, parts)
    parts.load = _loading(rooms), parts.session, [parts.chat, parts.session]
    return parts


def _draw(rooms: Rooms) -> SimpleNamespace:
    import gradio as gr

    parts = SimpleNamespace()
    parts.session = gr.BrowserState("", storage_key="tutti-conversation")
    parts.chat = gr.Chatbot(
        label="Conversation",
        height=420,
        buttons=["copy"],
        elem_id="chat",
        placeholder="Ask about pictures, recordings, films and documents.",
    )
    parts.question = gr.MultimodalTextbox(
        label="Question",
        show_label=False,
        placeholder="Write a question, and add files or your voice",
        file_count="multiple",
        sources=["upload", "microphone"],
        stop_btn=True,
        autofocus=True,
        elem_id="question",
    )
    with gr.Row():
        parts.model = gr.Dropdown(
            choices(rooms.models), value=rooms.models.names[0], label="Model", min_width=180, scale=2
        )
        parts.verify = gr.Checkbox(label="Verify the answer", info="Others look whether it is so", min_width=180)
        parts.clear = gr.Button("New conversation", min_width=160)
    parts.elsewhere = gr.Markdown("Nothing was sent yet; this would be, elsewhere:", visible=False)
    parts.preview = gr.Code(language="json", label="What would be sent", visible=False, elem_id="preview", max_lines=20)
    parts.agree = gr.Button("Send it", variant="primary", visible=False, elem_id="send-elsewhere")
    with gr.Row():
        parts.examples = [gr.Button(f"Try: {one.label}", size="sm", min_width=120) for one in DRAWN_EXAMPLES]
    parts.picture = gr.AnnotatedImage(label="Where the evidence lies", visible=False, elem_id="evidence", height=420)
    parts.moments = gr.HTML(visible=False, elem_id="moments")
    parts.checked = gr.Markdown(elem_id="verdicts")
    with gr.Accordion("Camera", open=False):
        parts.camera = gr.Image(sources=["webcam"], type="filepath", label="A picture of your camera")
        parts.use = gr.Button("Ask about this picture")
    with gr.Accordion("Was it right?", open=False):
        parts.right = gr.Textbox(label="The right answer", placeholder="As you know it")
        parts.learn = gr.Checkbox(label="Models may learn from it, and from thumbs")
        parts.send = gr.Button("Send for the last answer")
    return parts


def _wire_answers(rooms: Rooms, parts: SimpleNamespace) -> None:
    import gradio as gr

    def asked(given: dict[str, Any], known: str, name: str, check: bool, request: gr.Request) -> Iterator[Any]:
        yield from _answers(rooms, given, known, name, check, request, send=False)

    def agreed(given: dict[str, Any], known: str, name: str, check: bool, request: gr.Request) -> Iterator[Any]:
        yield from _answers(rooms, given, known, name, check, request, send=True)

    def begin(known: str, request: gr.Request) -> Any:
        rooms.dialogues.forget(tenant_of(request), known)
        return [], "", *_no_evidence()

    given = [parts.question, parts.session, parts.model, parts.verify]
    evident = [parts.picture, parts.moments, parts.checked]
    shown = [parts.chat, parts.question, parts.session, *evident]
    shown += [parts.elsewhere, parts.preview, parts.agree]
    limited: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": rooms.options.at_once}
    parts.question.submit(asked, given, shown, **limited)
    parts.agree.click(agreed, given, shown, **limited)
    wire_stop(rooms, parts.question.stop, parts.session)
    for event in (parts.clear.click, parts.chat.clear):
        event(begin, parts.session, [parts.chat, parts.session, *evident], api_visibility="private")


def _answers(
    rooms: Rooms, given: dict[str, Any], known: str, name: str, check: bool, request: Any, *, send: bool
) -> Iterator[Any]:
    """What the tab shows, piece by piece: of a model elsewhere first what would be sent, then the answer."""
    import gradio as gr

    tenant = tenant_of(request)
    dialogue = rooms.dialogues.get(tenant, known)
    files, words = tuple(given.get("files") or ()), str(given.get("text") or "")
    before = [*messages(dialogue)[0], *_asked(files, words)]
    if send or not rooms.models.is_elsewhere(name):
        yield before, {"text": "", "files": []}, dialogue.id, *_no_evidence(), *_elsewhere("")
    last = 0.0
    with told(rooms.folder), rooms.reserve():
        views = rooms.asking.ask(dialogue, words, files, model=name, verify=check, send=send, tenant=tenant)
        for view in views:
            if view.preview:  # the question stays in its box until it is sent
                kept, now = {"text": words, "files": list(files)}, messages(dialogue)[0]
                yield now, kept, dialogue.id, *_no_evidence(), *_elsewhere(view.preview)
                return
            if not view.finished and time.monotonic() - last < _LEAST_S:
                continue
            last = time.monotonic()
            said = [*before, {"role": "assistant", "content": _said(view)}]
            yield said, gr.skip(), dialogue.id, *_evidence(view), *_elsewhere("")


def _no_evidence() -> tuple[Any, Any, str]:
    """Neither picture, nor player, nor verdicts."""
    import gradio as gr

    return gr.update(visible=False), gr.update(visible=False), ""


def _evidence(view: AskView) -> tuple[Any, Any, str]:
    import gradio as gr

    shown, moments, _ = _no_evidence()
    if view.picture is not None:
        shown = gr.update(value=(view.picture, [(mark.box, mark.label) for mark in view.marks]), visible=True)
    if view.moments:
        moments = gr.update(value="".join(spans_player(path, some) for path, some in view.moments), visible=True)
    return shown, moments, listed([*view.verdicts, *view.notes])


def _elsewhere(preview: str) -> tuple[Any, ...]:
    """The sentence, the preview and the button, where there is something to send."""
    import gradio as gr

    visible = bool(preview)
    return gr.update(visible=visible), gr.update(value=preview, visible=visible), gr.update(visible=visible)


def _wire_verdicts(rooms: Rooms, parts: SimpleNamespace) -> None:
    import gradio as gr

    def keep(
        dialogue: KeptDialogue, turn: ShownTurn, verdict: str, right: str, learn: bool | None, tenant: str
    ) -> None:
        at = next(place for place, one in enumerate(dialogue.turns) if one is turn)
        before = KeptDialogue("before", turns=dialogue.turns[:at]).messages()
        with told(rooms.folder):
            gr.Info(
                rooms.feedback.add(turn, verdict, right=right, before=before, tenant=tenant, consent=consent_of(learn))
            )

    def thumb(data: gr.LikeData, learn: bool | None, known: str, request: gr.Request) -> None:
        index = data.index if isinstance(data.index, int) else data.index[0]
        dialogue = rooms.dialogues.get(tenant_of(request), known)
        turns = messages(dialogue)[1]
        turn = turns[index] if index < len(turns) else None
        if turn is not None:
            keep(dialogue, turn, "up" if data.liked else "down", "", learn, tenant_of(request))

    def correct(words: str | None, learn: bool | None, known: str, request: gr.Request) -> str:
        dialogue = rooms.dialogues.get(tenant_of(request), known)
        if not dialogue.turns or not (words or "").strip():
            gr.Info("Ask something first, and write the right answer.")
            return words or ""
        keep(dialogue, dialogue.turns[-1], "down", words or "", learn, tenant_of(request))
        return ""

    parts.chat.like(thumb, [parts.learn, parts.session], None, api_visibility="private")
    parts.send.click(correct, [parts.right, parts.learn, parts.session], parts.right, api_visibility="private")


def _wire_filling(rooms: Rooms, parts: SimpleNamespace) -> None:
    """What puts a question into the box: a picture of the camera, an example."""

    def of_camera(path: str | None) -> dict[str, Any]:
        return {"text": DEFAULT_QUESTION, "files": [path] if path else []}

    parts.use.click(of_camera, parts.camera, parts.question, api_visibility="private")
    for button, example in zip(parts.examples, DRAWN_EXAMPLES, strict=True):

        def of_example(example: DrawnExample = example) -> dict[str, Any]:
            return {"text": example.question, "files": [drawn(example, rooms.folder)]}

        button.click(of_example, None, parts.question, api_visibility="private")


def _loading(rooms: Rooms) -> Any:
    import gradio as gr

    def load(known: str, request: gr.Request) -> Any:
        dialogue = rooms.dialogues.get(tenant_of(request), known)
        return messages(dialogue)[0], dialogue.id

    return load


def _said(view: AskView) -> str:
    text = view.text
    if view.error:
        text = f"{text}\n\n⚠ {plain(view.error)}" if text else f"⚠ {plain(view.error)}"
    return _answer(text, view.figures)
