"""The tab Compare, as Gradio draws it. Annotations are no strings here: Gradio looks at them for the request."""

from types import SimpleNamespace
from typing import Any

from tutti.apps.page.comparing import Contestant, Duel, SentElsewhere
from tutti.apps.page.rooms import Loading, Rooms, choices, consent_of, listed, tenant_of, told
from tutti.apps.page.stop_button import wire_stop

_ASK = "Which answer is better? The names are told once you have chosen."


def build(rooms: Rooms, session: Any) -> Loading:
    """Draw the tab.

    Args:
        rooms: What compares.
        session: Id of the person's conversation, whose stop ends the work.

    Returns:
        What shows the last answers again when the page is loaded again.
    """
    import gradio as gr

    parts = _draw(rooms)

    def asked(
        given: dict[str, Any], one: str, other: str, prompt: str | None, second: str | None, known: str,
        request: gr.Request, progress: Any = gr.Progress(),  # noqa: B008 this is how Gradio is asked for one
    ) -> Any:  # fmt: skip
        sides = Contestant(one, prompt or ""), Contestant(other, second or "")
        return _compared(rooms, given, sides, known, request, progress, send=False)

    def agreed(
        given: dict[str, Any], one: str, other: str, prompt: str | None, second: str | None, known: str,
        request: gr.Request, progress: Any = gr.Progress(),  # noqa: B008
    ) -> Any:  # fmt: skip
        sides = Contestant(one, prompt or ""), Contestant(other, second or "")
        return _compared(rooms, given, sides, known, request, progress, send=True)

    def choose(choice: str, made: Duel | None, learn: bool | None, known: str, request: gr.Request) -> Any:
        if made is None:
            return gr.skip(), "Ask something first."
        tenant = tenant_of(request)
        with told(rooms.folder):
            lines = rooms.comparing.choose(made, choice, tenant=tenant)
            if choice != "equal":
                at = ("left", "right").index(choice)
                kept = rooms.feedback.chose(
                    made.asked, made.media, made.texts[at], made.texts[1 - at], model=made.sides[at].model,
                    tenant=tenant, consent=consent_of(learn),
                )  # fmt: skip
                lines.append(kept)
        rooms.dialogues.get(tenant, known).shown["compare"] = None, made.texts, listed(lines)
        return None, listed(lines)

    def load(known: str, request: gr.Request) -> Any:
        kept = rooms.dialogues.shown(tenant_of(request), known, "compare")
        return (gr.skip(),) * 4 if kept is None else (kept[0], *kept[1], kept[2])

    given = [parts.question, parts.first, parts.second, parts.prompt, parts.other_prompt, session]
    outputs = [parts.duel, parts.left, parts.right, parts.result, parts.preview, parts.agree, session]
    limited: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": rooms.options.at_once}
    parts.question.submit(asked, given, outputs, **limited)
    parts.agree.click(agreed, given, outputs, **limited)
    wire_stop(rooms, parts.question.stop, session)
    for button, word in zip(parts.buttons, ("left", "equal", "right"), strict=True):
        chosen = [gr.State(word), parts.duel, parts.learn, session]
        button.click(choose, chosen, [parts.duel, parts.result], api_visibility="private")
    return load, session, [parts.duel, parts.left, parts.right, parts.result]


def _draw(rooms: Rooms) -> SimpleNamespace:
    import gradio as gr

    names = list(rooms.models.names)
    parts = SimpleNamespace(duel=gr.State(None))
    with gr.Row():
        parts.first = gr.Dropdown(choices(rooms.models), value=names[0], label="One model", min_width=160)
        parts.second = gr.Dropdown(choices(rooms.models), value=names[-1], label="The other", min_width=160)
    with gr.Accordion("Prompts before the question", open=len(names) == 1), gr.Row():
        parts.prompt = gr.Textbox(label="Prompt of the one", lines=2, min_width=200)
        parts.other_prompt = gr.Textbox(label="Prompt of the other", lines=2, min_width=200)
    parts.question = gr.MultimodalTextbox(
        label="Question for both", placeholder="Write a question, and add files", file_count="multiple", stop_btn=True,
        elem_id="compare-question",
    )  # fmt: skip
    with gr.Row():
        parts.left = gr.Textbox(label="Left", lines=5, interactive=False, min_width=260)
        parts.right = gr.Textbox(label="Right", lines=5, interactive=False, min_width=260)
    with gr.Row():
        parts.buttons = [gr.Button(word, min_width=90) for word in ("Left", "Equal", "Right")]
    parts.learn = gr.Checkbox(label="Models may learn from what I choose")
    parts.preview = gr.Code(language="json", label="What would be sent elsewhere", visible=False, max_lines=20)
    parts.agree = gr.Button("Send it", variant="primary", visible=False)
    parts.result = gr.Markdown(_ASK)
    return parts


def _compared(
    rooms: Rooms, given: dict[str, Any], sides: tuple[Contestant, Contestant], known: str, request: Any,
    progress: Any, *, send: bool,
) -> Any:  # fmt: skip
    """What the tab shows: both answers, or what would be sent elsewhere."""
    import gradio as gr

    tenant = tenant_of(request)
    dialogue = rooms.dialogues.get(tenant, known)
    dialogue.stop.clear()
    with told(rooms.folder), rooms.reserve():
        made = rooms.comparing.ask(
            str(given.get("text") or ""), given.get("files") or [], sides, dialogue, send=send,
            told=lambda share: progress(share, desc="Asking both"), tenant=tenant,
        )  # fmt: skip
    if isinstance(made, SentElsewhere):
        shown = "\n".join(f"// to {name}\n{body}" for name, body in made.previews)
        seen = gr.update(value=shown, visible=True), gr.update(visible=True)
        return None, "", "", "Nothing was sent yet.", *seen, dialogue.id
    hidden = gr.update(visible=False), gr.update(visible=False)
    if made is None:
        return None, "", "", "Stopped.", *hidden, dialogue.id
    dialogue.shown["compare"] = made, made.texts, _ASK
    return made, *made.texts, _ASK, *hidden, dialogue.id
