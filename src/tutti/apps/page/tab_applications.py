"""The tabs of the applications, as Gradio draws them. Annotations are no strings here: Gradio looks at them."""

from pathlib import Path
from typing import Any

from tutti.apps.page.rooms import Loading, Rooms, counting, listed, plain, stoppable, tenant_of, told
from tutti.apps.page.stop_button import wire_stop
from tutti.apps.page.tab_radiology import build_radiology
from tutti.apps.page.trading import ModerationRoom, ShopRoom


def build(rooms: Rooms, session: Any) -> list[Loading]:
    """Draw a tab for each application that there is.

    Args:
        rooms: What works.
        session: Id of the person's conversation, and of their dialogue with the shop.

    Returns:
        What shows again what was there when the page is loaded again.
    """
    import gradio as gr

    given, loadings = rooms.applications, []
    if given.shop is not None:
        with gr.Tab("Shop", id="shop"):
            loadings.append(_shop(rooms, given.shop, session))
    if given.radiology is not None:
        with gr.Tab("Radiology", id="radiology"):
            loadings.append(build_radiology(rooms, given.radiology, session))
    if given.moderation is not None:
        with gr.Tab("Moderation", id="moderation"):
            loadings.append(_moderation(rooms, given.moderation, session))
    return loadings


def _shop(rooms: Rooms, shop: ShopRoom, session: Any) -> Loading:
    import gradio as gr

    chat = gr.Chatbot(
        label="The shop", height=420, buttons=["copy"], elem_id="shop-chat", placeholder="Say what you are looking for."
    )
    words = gr.MultimodalTextbox(
        label="To the shop", show_label=False, placeholder="A red bag under 50, or a photograph", elem_id="shop-words",
        stop_btn=True,
    )  # fmt: skip
    with gr.Row():
        offers = gr.Dropdown([], label="Offers", min_width=220, scale=2)
        take = gr.Button("Take it", min_width=120)
        clear = gr.Button("New dialogue", min_width=140)
    said = gr.Markdown()

    def ask(given: dict[str, Any], known: str, request: gr.Request) -> Any:
        tenant = tenant_of(request)
        dialogue = rooms.dialogues.get(tenant, known)
        files, text = list(given.get("files") or ()), str(given.get("text") or "")
        photo = files[0] if files else None
        with told(rooms.folder):
            answer, offered = stoppable(
                dialogue, rooms.reserve,
                lambda step: shop.ask(text, photo, session=dialogue.id, tenant=tenant, told=step),
            )  # fmt: skip
        turns, _ = dialogue.shown.get("shop", ([], []))
        dialogue.shown["shop"] = [*turns, (photo, text, answer)], offered
        return *_dialogue(*dialogue.shown["shop"]), {"text": "", "files": []}, dialogue.id, ""

    def load(known: str, request: gr.Request) -> Any:
        return _dialogue(*(rooms.dialogues.shown(tenant_of(request), known, "shop") or ([], [])))

    def choose(product: str | None, known: str, request: gr.Request) -> str:
        with told(rooms.folder):
            return plain(shop.take(product, session=known, tenant=tenant_of(request)))

    def begin(known: str, request: gr.Request) -> Any:
        tenant = tenant_of(request)
        with told(rooms.folder):
            if known:
                rooms.dialogues.get(tenant, known).shown.pop("shop", None)
                shop.forget(session=known, tenant=tenant)
        return [], gr.update(choices=[], value=None), ""

    words.submit(
        ask, [words, session], [chat, offers, words, session, said],
        api_visibility="private", concurrency_limit=rooms.options.at_once,
    )  # fmt: skip
    wire_stop(rooms, words.stop, session)
    take.click(choose, [offers, session], said, api_visibility="private")
    for event in (clear.click, chat.clear):
        event(begin, session, [chat, offers, said], api_visibility="private")
    return load, session, [chat, offers]


def _dialogue(turns: list[tuple[str | None, str, str]], offered: list[tuple[str, str]]) -> tuple[Any, Any]:
    """A dialogue with the shop as the chatbot shows it, and what may be taken."""
    import gradio as gr

    shown: list[Any] = []
    for photo, text, answer in turns:
        if photo is not None:
            content = {"path": photo} if Path(photo).is_file() else f"({plain(Path(photo).name)}, removed)"
            shown.append({"role": "user", "content": content})
        if text:
            shown.append({"role": "user", "content": plain(text)})
        shown.append({"role": "assistant", "content": "\n\n".join(plain(line) for line in answer.splitlines())})
    return shown, gr.update(choices=offered, value=None)


def _moderation(rooms: Rooms, moderation: ModerationRoom, session: Any) -> Loading:
    import gradio as gr

    file, caption, go, stop, decided = _moderated()
    gr.Markdown("### Waiting for a person")
    with gr.Row():
        queue = gr.Dropdown([], label="The worst first", min_width=240, scale=2)
        again = gr.Button("Look again", min_width=120)
    why = gr.Markdown(elem_id="why")
    person = gr.Textbox(label="Your name")
    with gr.Row():
        buttons = [gr.Button(word.capitalize(), min_width=90) for word in ("allow", "block")]
    noted = gr.Markdown()

    def decide(
        path: str | None, words: str | None, known: str, request: gr.Request,
        progress: Any = gr.Progress(),  # noqa: B008 this is how Gradio is asked for one
    ) -> Any:  # fmt: skip
        tenant = tenant_of(request)
        dialogue = rooms.dialogues.get(tenant, known)
        with told(rooms.folder), rooms.reserve():
            lines = moderation.decide(path, words or "", tenant=tenant, told=counting(dialogue, progress))
            dialogue.shown["moderation"] = listed(lines)
            return listed(lines), gr.update(choices=moderation.waiting(tenant=tenant), value=None), dialogue.id

    def look(request: gr.Request) -> Any:
        with told(rooms.folder):
            return gr.update(choices=moderation.waiting(tenant=tenant_of(request)), value=None)

    def load(known: str, request: gr.Request) -> Any:
        return rooms.dialogues.shown(tenant_of(request), known, "moderation") or "", look(request)

    def show(decision: str | None, request: gr.Request) -> str:
        with told(rooms.folder):
            return listed(moderation.reasons(decision, tenant=tenant_of(request))) if decision else ""

    def judge(verdict: str, decision: str | None, by: str | None, request: gr.Request) -> Any:
        tenant = tenant_of(request)
        with told(rooms.folder):
            told_them = moderation.judge(decision, verdict, by or "", tenant=tenant)
            return plain(told_them), gr.update(choices=moderation.waiting(tenant=tenant), value=None), ""

    go.click(decide, [file, caption, session], [decided, queue, session], api_visibility="private",
             concurrency_limit=rooms.options.at_once)  # fmt: skip
    wire_stop(rooms, stop.click, session)
    again.click(look, None, queue, api_visibility="private")
    queue.change(show, queue, why, api_visibility="private")
    for button, word in zip(buttons, ("allow", "block"), strict=True):
        button.click(judge, [gr.State(word), queue, person], [noted, queue, why], api_visibility="private")
    return load, session, [decided, queue]


def _moderated() -> tuple[Any, ...]:
    """What is to be decided on, the two buttons, and the decision."""
    import gradio as gr

    with gr.Row():
        with gr.Column(min_width=260):
            file = gr.File(label="A picture, recording or film", type="filepath", height=165, elem_id="moderate-file")
            caption = gr.Textbox(label="What was written, or beside it", lines=3)
            with gr.Row():
                go = gr.Button("Decide", variant="primary", min_width=120)
                stop = gr.Button("Stop", min_width=80)
        with gr.Column(min_width=260):  # a bare Markdown, while it is empty, shares a phone's row with the column
            decided = gr.Markdown(elem_id="decided")
    return file, caption, go, stop, decided
