"""The tab Redact, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

from pathlib import Path
from typing import Any

from tutti.apps.page.redacting import RedactedView
from tutti.apps.page.rooms import Loading, Rooms, listed, player, stepping, tenant_of, told
from tutti.apps.page.stop_button import wire_stop


def build(rooms: Rooms, session: Any) -> Loading:
    """Draw the tab.

    Args:
        rooms: What redacts.
        session: Id of the person's conversation, whose stop ends the work.

    Returns:
        What shows the last copy again when the page is loaded again, while its files are there.
    """
    import gradio as gr

    file, names, faces, words, speech, go, stop = _inputs()
    result = gr.Markdown(elem_id="redacted")
    with gr.Row():
        with gr.Column(min_width=280):
            before = gr.AnnotatedImage(label="Before, with what was found", visible=False)
        with gr.Column(min_width=280):
            after = gr.HTML(label="After")
    files = gr.Files(label="The copy, and the record of what was done", visible=False)

    def redact(
        path: str | None,
        listed_names: str | None,
        cover_faces: bool,
        cover_words: bool,
        cover_speech: bool,
        known: str,
        request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 this is how Gradio is asked for one
    ) -> Any:
        dialogue = rooms.dialogues.get(tenant_of(request), known)
        with told(rooms.folder), rooms.reserve():
            step = stepping(dialogue, progress, "Redacting")
            view = rooms.redacting.redact(
                path, names=listed_names or "", faces=cover_faces, words=cover_words, speech=cover_speech, progress=step
            )
        dialogue.shown["redact"] = path, view
        return *_results(path, view), dialogue.id

    def load(known: str, request: gr.Request) -> Any:
        kept = rooms.dialogues.shown(tenant_of(request), known, "redact")
        if kept is None or not all(Path(one).is_file() for one in (kept[0], kept[1].copy, kept[1].record)):
            return (gr.skip(),) * 4
        return _results(*kept)

    given, results = [file, names, faces, words, speech, session], [result, before, after, files]
    go.click(
        redact,
        given,
        [*results, session],
        api_visibility="private",
        concurrency_limit=rooms.options.at_once,
    )
    wire_stop(rooms, stop.click, session)
    return load, session, results


def _results(path: str | None, view: RedactedView) -> tuple[Any, ...]:
    """Lines, the picture before with what was found, the copy, and the files."""
    import gradio as gr

    shown = gr.update(visible=False)
    if view.kind == "picture":
        shown = gr.update(value=(path, [(mark.box, mark.label) for mark in view.marks]), visible=True)
    done = gr.update(value=[view.copy, view.record], visible=True)
    return listed(view.lines), shown, player(view.copy), done


def _inputs() -> tuple[Any, ...]:
    """What is given, and the two buttons."""
    import gradio as gr

    with gr.Row():
        with gr.Column(min_width=260):
            file = gr.File(
                label="A picture, recording, film or DICOM file", type="filepath", height=165, elem_id="redact-file"
            )
            names = gr.Textbox(label="Names to cover, one a line", lines=3)
        with gr.Column(min_width=260):
            faces = gr.Checkbox(value=True, label="Cover faces")
            words = gr.Checkbox(value=True, label="Cover words that identify", info="Mail, phone, plates, cards, names")
            speech = gr.Checkbox(label="Silence speech that identifies", info="Of recordings and films")
            with gr.Row():
                go = gr.Button("Redact", variant="primary", min_width=120)
                stop = gr.Button("Stop", min_width=80)
    return file, names, faces, words, speech, go, stop
