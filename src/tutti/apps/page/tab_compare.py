"""The tab Compare, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

from typing import Any

from tutti.apps.page.comparing import Duel, SentElsewhere
from tutti.apps.page.rooms import Rooms, choices, listed, tenant_of, told


def build(rooms: Rooms, session: Any) -> None:
    """Draw the tab.

    Args:
        rooms: What compares.
        session: Id of the person's conversation, whose stop ends the work.
    """
    import gradio as gr

    names = list(rooms.models.names)
    duel = gr.State(None)
    with gr.Row():
        first = gr.Dropdown(choices(rooms.models), value=names[0], label="One model", min_width=160)
        second = gr.Dropdown(choices(rooms.models), value=names[-1], label="The other", min_width=160)
    question = gr.MultimodalTextbox(
        label="Question for both", placeholder="Write a question, and add files", file_count="multiple", stop_btn=True
    )
    with gr.Row():
        left = gr.Textbox(label="Left", lines=5, interactive=False, min_width=260)
        right = gr.Textbox(label="Right", lines=5, interactive=False, min_width=260)
    with gr.Row():
        buttons = [gr.Button(f"{word.capitalize()}", min_width=90) for word in ("left", "equal", "right")]
    preview = gr.Code(language="json", label="What would be sent elsewhere", visible=False, max_lines=20)
    agree = gr.Button("Send it", variant="primary", visible=False)
    result = gr.Markdown("Which answer is better? The names are told once you have chosen.")

    def asked(
        given: dict[str, Any], one: str, other: str, known: str, request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 this is how Gradio is asked for one
    ) -> Any:  # fmt: skip
        return _compared(rooms, given, (one, other), known, request, progress, send=False)

    def agreed(
        given: dict[str, Any], one: str, other: str, known: str, request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Any:  # fmt: skip
        return _compared(rooms, given, (one, other), known, request, progress, send=True)

    def choose(choice: str, made: Duel | None, request: gr.Request) -> Any:
        if made is None:
            return gr.skip(), "Ask something first."
        with told(rooms.folder):
            return None, listed(rooms.comparing.choose(made, choice, tenant=tenant_of(request)))

    def end(known: str, request: gr.Request) -> None:
        rooms.dialogues.get(tenant_of(request), known).stop.set()

    given, outputs = [question, first, second, session], [duel, left, right, result, preview, agree]
    limited: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": rooms.options.at_once}
    question.submit(asked, given, outputs, **limited)
    agree.click(agreed, given, outputs, **limited)
    question.stop(end, session, None, queue=False, api_visibility="private")
    for button, word in zip(buttons, ("left", "equal", "right"), strict=True):
        button.click(choose, [gr.State(word), duel], [duel, result], api_visibility="private")


def _compared(
    rooms: Rooms, given: dict[str, Any], models: tuple[str, str], known: str, request: Any, progress: Any, *,
    send: bool,
) -> Any:  # fmt: skip
    """What the tab shows: both answers, or what would be sent elsewhere."""
    import gradio as gr

    tenant = tenant_of(request)
    dialogue = rooms.dialogues.get(tenant, known)
    dialogue.stop.clear()
    with told(rooms.folder), rooms.reserve():
        made = rooms.comparing.ask(
            str(given.get("text") or ""), given.get("files") or [], models, dialogue, send=send,
            told=lambda share: progress(share, desc="Asking both"), tenant=tenant,
        )  # fmt: skip
    if isinstance(made, SentElsewhere):
        shown = "\n".join(f"// to {name}\n{body}" for name, body in made.previews)
        return None, "", "", "Nothing was sent yet.", gr.update(value=shown, visible=True), gr.update(visible=True)
    hidden = gr.update(visible=False), gr.update(visible=False)
    if made is None:
        return None, "", "", "Stopped.", *hidden
    return made, *made.texts, "Which answer is better?", *hidden
