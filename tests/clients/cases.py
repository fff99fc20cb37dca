# ruff: noqa: E501 - programs are kept as the documentation of their clients has them
"""What is asked of each client: a program for an environment of its own, which prints a line of JSON per feature.

A program knows nothing of this project: it gets the server's address, a model's name and a picture, and uses the client as
its documentation says.
"""

from __future__ import annotations

from typing import NamedTuple


class Client(NamedTuple):
    """A client, and a program that uses it."""

    name: str
    packages: tuple[str, ...]
    """What is installed; the first is the client, whose version is told."""
    program: str
    """Python that calls `feature(name, function)`; the function returns something true where it works."""


HEAD = """
import json, os, sys, base64, asyncio
URL, MODEL, KEY = os.environ["CLIENT_URL"], os.environ["CLIENT_MODEL"], "none"
PICTURE = "data:image/png;base64," + base64.b64encode(open(os.environ["CLIENT_PICTURE"], "rb").read()).decode()
SPEECH = os.environ["CLIENT_SPEECH"]
ASK = [{"role": "user", "content": "What is a dog?"}]
LOOK = [{"role": "user", "content": [{"type": "text", "text": "What animal is this?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]}]

def feature(name, function):
    try:
        found = function()
        if asyncio.iscoroutine(found):
            found = asyncio.run(found)
        print(json.dumps({"feature": name, "works": bool(found), "told": "" if found else repr(found)[:160]}), flush=True)
    except Exception as error:
        print(json.dumps({"feature": name, "works": False, "told": f"{type(error).__name__}: {error}"[:300]}), flush=True)
"""

CLIENTS = (
    Client(
        "openai",
        ("openai",),
        """
import openai
c = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
feature("chat", lambda: c.chat.completions.create(model=MODEL, messages=ASK).choices[0].message.content)
feature("picture", lambda: c.chat.completions.create(model=MODEL, messages=LOOK).choices[0].message.content)
feature("stream", lambda: "".join(e.choices[0].delta.content or "" for e in c.chat.completions.create(model=MODEL, messages=ASK, stream=True)))
feature("responses", lambda: c.responses.create(model=MODEL, input="go on", previous_response_id=c.responses.create(model=MODEL, input="What is a dog?").id).output_text)
feature("completions", lambda: c.completions.create(model=MODEL, prompt="What is a dog?").choices[0].text)
feature("embeddings", lambda: len(c.embeddings.create(model=MODEL, input=["a dog", "a cat"]).data) == 2)
feature("transcription", lambda: c.audio.transcriptions.create(model=MODEL, file=open(SPEECH, "rb"), response_format="verbose_json").duration)
feature("models", lambda: [m.id for m in c.models.list()])
""",
    ),
    Client(
        "anthropic",
        ("anthropic",),
        """
import anthropic
c = anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0)
feature("chat", lambda: c.messages.create(model=MODEL, max_tokens=40, messages=ASK).content[0].text)
LOOKING = [{"role": "user", "content": [{"type": "text", "text": "What animal is this?"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE.split(",")[1]}}]}]
feature("picture", lambda: c.messages.create(model=MODEL, max_tokens=40, messages=LOOKING).content[0].text)
def stream():
    with c.messages.stream(model=MODEL, max_tokens=40, messages=ASK) as s:
        return "".join(s.text_stream)
feature("stream", stream)
feature("count_tokens", lambda: c.messages.count_tokens(model=MODEL, messages=LOOKING).input_tokens)
feature("models", lambda: [m.id for m in c.models.list()])
""",
    ),
    Client(
        "litellm",
        ("litellm",),
        """
import litellm
litellm.suppress_debug_info = True
o = dict(model="openai/" + MODEL, api_base=URL + "/v1", api_key=KEY)
feature("chat", lambda: litellm.completion(messages=ASK, **o).choices[0].message.content)
feature("picture", lambda: litellm.completion(messages=LOOK, **o).choices[0].message.content)
feature("stream", lambda: "".join(e.choices[0].delta.content or "" for e in litellm.completion(messages=ASK, stream=True, **o)))
feature("responses", lambda: litellm.responses(input="What is a dog?", **o).output)
feature("embeddings", lambda: len(litellm.embedding(input=["a dog"], **o).data) == 1)
feature("messages", lambda: asyncio.run(litellm.anthropic_messages(messages=ASK, max_tokens=40, model="anthropic/" + MODEL, api_base=URL, api_key=KEY)))
def overflow():
    try:
        litellm.completion(messages=[{"role": "user", "content": "dog " * 20000}], **o)
    except litellm.ContextWindowExceededError:
        return True
feature("overflow is ContextWindowExceededError", overflow)
""",
    ),
    Client(
        "langchain-openai",
        ("langchain-openai",),
        """
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
o = dict(model=MODEL, base_url=URL + "/v1", api_key=KEY)
m = ChatOpenAI(**o)
feature("chat", lambda: m.invoke("What is a dog?").content)
feature("picture", lambda: m.invoke([("human", LOOK[0]["content"])]).content)
feature("stream", lambda: "".join(str(c.content) for c in m.stream("What is a dog?")))
feature("responses", lambda: ChatOpenAI(use_responses_api=True, **o).invoke("What is a dog?").content)
feature("embeddings", lambda: len(OpenAIEmbeddings(check_embedding_ctx_length=False, **o).embed_documents(["a"])) == 1)
feature("json schema", lambda: m.with_structured_output({"title": "animal", "type": "object", "properties": {"name": {"type": "string", "maxLength": 8}}, "required": ["name"], "additionalProperties": False}, method="json_schema").invoke("A dog?"))
""",
    ),
    Client(
        "langchain-anthropic",
        ("langchain-anthropic",),
        """
from langchain_anthropic import ChatAnthropic
m = ChatAnthropic(model=MODEL, base_url=URL, api_key=KEY, max_tokens=40)
feature("chat", lambda: m.invoke("What is a dog?").content)
feature("picture", lambda: m.invoke([("human", LOOK[0]["content"])]).content)
feature("stream", lambda: "".join(str(c.content) for c in m.stream("What is a dog?")))
""",
    ),
    Client(
        "llama-index",
        ("llama-index-llms-openai-like",),
        """
from llama_index.llms.openai_like import OpenAILike
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
m = OpenAILike(model=MODEL, api_base=URL + "/v1", api_key=KEY, is_chat_model=True)
feature("chat", lambda: m.chat([ChatMessage(role="user", content="What is a dog?")]).message.content)
feature("picture", lambda: m.chat([ChatMessage(role="user", blocks=[TextBlock(text="What animal is this?"), ImageBlock(path=os.environ["CLIENT_PICTURE"])])]).message.content)
feature("stream", lambda: "".join(c.delta or "" for c in m.stream_chat([ChatMessage(role="user", content="What is a dog?")])))
feature("completions", lambda: OpenAILike(model=MODEL, api_base=URL + "/v1", api_key=KEY, is_chat_model=False).complete("What is a dog?").text)
""",
    ),
    Client(
        "instructor",
        ("instructor",),
        """
import instructor, openai, pydantic
class Animal(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=8)
c = openai.OpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
for mode in ("JSON", "JSON_SCHEMA"):
    feature(mode.lower().replace("_", " "), lambda: instructor.from_openai(c, mode=getattr(instructor.Mode, mode)).chat.completions.create(model=MODEL, messages=ASK, response_model=Animal, max_retries=1, max_tokens=60))
""",
    ),
    Client(
        "pydantic-ai",
        ("pydantic-ai-slim[openai,anthropic]",),
        """
from pydantic_ai import Agent, BinaryContent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.anthropic import AnthropicProvider
p = OpenAIProvider(base_url=URL + "/v1", api_key=KEY)
look = ["What animal is this?", BinaryContent(open(os.environ["CLIENT_PICTURE"], "rb").read(), media_type="image/png")]
feature("chat", lambda: Agent(OpenAIChatModel(MODEL, provider=p)).run_sync("What is a dog?").output)
feature("picture", lambda: Agent(OpenAIChatModel(MODEL, provider=p)).run_sync(look).output)
feature("responses", lambda: Agent(OpenAIResponsesModel(MODEL, provider=p)).run_sync(look).output)
feature("messages", lambda: Agent(AnthropicModel(MODEL, provider=AnthropicProvider(base_url=URL, api_key=KEY))).run_sync(look).output)
""",
    ),
    Client(
        "openai-agents",
        ("openai-agents",),
        """
import openai
from agents import Agent, Runner, OpenAIResponsesModel, OpenAIChatCompletionsModel, set_tracing_disabled
set_tracing_disabled(True)
c = openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
for name, kind in (("responses", OpenAIResponsesModel), ("chat", OpenAIChatCompletionsModel)):
    agent = Agent(name="a", instructions="Answer.", model=kind(model=MODEL, openai_client=c))
    feature(name, lambda: Runner.run_sync(agent, "What is a dog?").final_output)
    async def streamed(agent=agent):
        found = Runner.run_streamed(agent, "What is a dog?")
        async for _ in found.stream_events():
            pass
        return found.final_output
    feature(name + " stream", streamed)
""",
    ),
    Client(
        "smolagents",
        ("smolagents[openai]",),
        """
from smolagents import OpenAIServerModel
m = OpenAIServerModel(model_id=MODEL, api_base=URL + "/v1", api_key=KEY)
feature("chat", lambda: m([{"role": "user", "content": [{"type": "text", "text": "What is a dog?"}]}]).content)
feature("stream", lambda: [d.content for d in m.generate_stream([{"role": "user", "content": [{"type": "text", "text": "What is a dog?"}]}])])
""",
    ),
    Client(
        "aisuite",
        ("aisuite", "openai", "docstring-parser", "httpx"),
        """
import aisuite
c = aisuite.Client({"openai": {"base_url": URL + "/v1", "api_key": KEY}})
feature("chat", lambda: c.chat.completions.create(model="openai:" + MODEL, messages=ASK).choices[0].message.content)
feature("picture", lambda: c.chat.completions.create(model="openai:" + MODEL, messages=LOOK).choices[0].message.content)
""",
    ),
    Client(
        "llm",
        ("llm",),
        """
import pathlib, subprocess, tempfile
home = tempfile.mkdtemp()
pathlib.Path(home, "extra-openai-models.yaml").write_text(f"- model_id: here\\n  model_name: {MODEL}\\n  api_base: {URL}/v1\\n  vision: true\\n")
env = {**os.environ, "LLM_USER_PATH": home, "OPENAI_API_KEY": KEY}
def run(*words):
    done = subprocess.run([sys.executable, "-m", "llm", "-m", "here", *words], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(done.stderr[-200:])
    return done.stdout.strip()
feature("chat", lambda: run("What is a dog?", "--no-stream"))
feature("stream", lambda: run("What is a dog?"))
feature("picture", lambda: run("What animal is this?", "-a", os.environ["CLIENT_PICTURE"]))
""",
    ),
)
