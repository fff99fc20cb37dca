"""The tabs of the applications, as Gradio draws them. Annotations are no strings here: Gradio looks at them."""

from typing import Any

from tutti.apps.page.rooms import Rooms, counting, listed, plain, tenant_of, told
from tutti.apps.page.tab_radiology import build_radiology
from tutti.apps.page.trading import ModerationRoom, ShopRoom


def build(rooms: Rooms, session: Any) -> None:
    """Draw a tab for each application that there is.

    Args:
        rooms: What works.
        session: Id of the person's conversation, and of their dialogue with the shop.
    """
    import gradio as gr

    given = rooms.applications
    if given.shop is not None:
        with gr.Tab("Shop", id="shop"):
            _shop(rooms, given.shop, session)
    if given.radiology is not None:
        with gr.Tab("Radiology", id="radiology"):
            build_radiology(rooms, given.radiology, session)
    if given.moderation is not None:
        with gr.Tab("Moderation", id="moderation"):
            _moderation(rooms, given.moderation, session)


def _shop(rooms: Rooms, shop: ShopRoom, session: Any) -> None:
    import gradio as gr

    chat = gr.Chatbot(label="The shop", height=420, elem_id="shop-chat", placeholder="Say what you are looking for.")
    words = gr.MultimodalTextbox(
        label="To the shop", show_label=False, placeholder="A red bag under 50, or a photograph", elem_id="shop-words"
    )
    with gr.Row():
        offers = gr.Dropdown([], label="Offers", min_width=220, scale=2)
        take = gr.Button("Take it", min_width=120)
        clear = gr.Button("New dialogue", min_width=140)
    said = gr.Markdown()

    def ask(given: dict[str, Any], shown: list[Any], known: str, request: gr.Request) -> Any:
        tenant = tenant_of(request)
        identity = rooms.dialogues.get(tenant, known).id
        files, text = list(given.get("files") or ()), str(given.get("text") or "")
        with told(rooms.folder), rooms.reserve():
            answer, offered = shop.ask(text, files[0] if files else None, session=identity, tenant=tenant)
        asked: list[Any] = [{"role": "user", "content": {"path": files[0]}}] if files else []
        asked += [{"role": "user", "content": plain(text)}] if text else []
        lines = "\n\n".join(plain(line) for line in answer.splitlines())
        shown = [*shown, *asked, {"role": "assistant", "content": lines}]
        return shown, {"text": "", "files": []}, gr.update(choices=offered, value=None), identity, ""

    def choose(product: str | None, known: str, request: gr.Request) -> str:
        with told(rooms.folder):
            return plain(shop.take(product, session=known, tenant=tenant_of(request)))

    def begin(known: str, request: gr.Request) -> Any:
        with told(rooms.folder):
            if known:
                shop.forget(session=known, tenant=tenant_of(request))
        return [], gr.update(choices=[], value=None), ""

    outputs = [chat, words, offers, session, said]
    words.submit(
        ask, [words, chat, session], outputs, api_visibility="private", concurrency_limit=rooms.options.at_once
    )
    take.click(choose, [offers, session], said, api_visibility="private")
    clear.click(begin, session, [chat, offers, said], api_visibility="private")


def _moderation(rooms: Rooms, moderation: ModerationRoom, session: Any) -> None:
    import gradio as gr

    with gr.Row():
        with gr.Column(min_width=260):
            file = gr.File(label="A picture, recording or film", type="filepath", height=140, elem_id="moderate-file")
            caption = gr.Textbox(label="What was written, or beside it", lines=3)
            with gr.Row():
                go = gr.Button("Decide", variant="primary", min_width=120)
                stop = gr.Button("Stop", min_width=80)
        with gr.Column(min_width=260):  # a bare Markdown, while it is empty, shares a phone's row with the column
            decided = gr.Markdown(elem_id="decided")
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
            return listed(lines), gr.update(choices=moderation.waiting(tenant=tenant), value=None), dialogue.id

    def end(known: str, request: gr.Request) -> None:
        rooms.dialogues.get(tenant_of(request), known).stop.set()

    def look(request: gr.Request) -> Any:
        with told(rooms.folder):
            return gr.update(choices=moderation.waiting(tenant=tenant_of(request)), value=None)

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
    stop.click(end, session, None, queue=False, api_visibility="private")
    again.click(look, None, queue, api_visibility="private")
    queue.change(show, queue, why, api_visibility="private")
    for button, word in zip(buttons, ("allow", "block"), strict=True):
        button.click(judge, [gr.State(word), queue, person], [noted, queue, why], api_visibility="private")
