# ruff: noqa: E501 - programs are kept as the documentation of their clients has them
"""What is asked of each client: a program for an environment of its own, which prints a line of JSON per feature.

A program knows nothing of this project: it gets the server's address, the names of two models and a picture, and uses the client as
its documentation says. A program runs twice, with a server of each. The second model is a tiny random one whose template takes tools, so that a call is asked for by
`tool_choice` "required" or the like; what it then says is by chance, its form is not.
"""

from __future__ import annotations

from typing import NamedTuple


class Client(NamedTuple):
    """A client, and a program that uses it."""

    name: str
    packages: tuple[str, ...]
    """What is installed; the first is the client, whose version is told."""
    program: str
    """Python, or JavaScript, that calls `feature(name, function)`; the function returns something true where it works."""
    node: bool = False
    """Whether it is a package of npm."""
    module: str = ""
    """A module that is run in the place of a program, without a network; it prints the same lines."""


HEAD = """
import json, os, sys, base64, asyncio
URL, MODEL, TOOLS, KEY = os.environ["CLIENT_URL"], os.environ["CLIENT_MODEL"], os.environ["CLIENT_TOOLS_MODEL"], "none"
PICTURE = "data:image/png;base64," + base64.b64encode(open(os.environ["CLIENT_PICTURE"], "rb").read()).decode()
SPEECH = os.environ["CLIENT_SPEECH"]
ASK = [{"role": "user", "content": "What is a dog?"}]
LOOK = [{"role": "user", "content": [{"type": "text", "text": "What animal is this?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]}]

LAMP = {"name": "lamp", "description": "Switches the lamp.", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False}}
CALLABLE = [{"type": "function", "function": LAMP}]

def feature(name, function):
    if name.startswith("tools") != (MODEL == TOOLS):
        return
    try:
        found = function()
        if asyncio.iscoroutine(found):
            found = asyncio.run(found)
        print(json.dumps({"feature": name, "works": bool(found), "told": "" if found else repr(found)[:160]}), flush=True)
    except Exception as error:
        print(json.dumps({"feature": name, "works": False, "told": f"{type(error).__name__}: {error}"[:300]}), flush=True)
"""

PYTHON = (
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
def tools():
    call = c.chat.completions.create(model=TOOLS, messages=ASK, tools=CALLABLE, tool_choice="required", parallel_tool_calls=False).choices[0].message
    answered = [*ASK, call, {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "done"}]
    c.chat.completions.create(model=TOOLS, messages=answered, tools=CALLABLE, max_tokens=4)
    return type(json.loads(call.tool_calls[0].function.arguments)["on"]) is bool
feature("tools", tools)
def tools_stream():
    with c.chat.completions.stream(model=TOOLS, messages=ASK, tools=CALLABLE, tool_choice="required", parallel_tool_calls=False) as s:
        return s.get_final_completion().choices[0].message.tool_calls[0].function.arguments
feature("tools stream", tools_stream)
feature("tools in responses", lambda: [o.name for o in c.responses.create(model=TOOLS, input="What is a dog?", tools=[{"type": "function", "strict": True, **LAMP}], tool_choice="required").output])
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
GIVEN = [{"name": "lamp", "description": "Switches the lamp.", "input_schema": LAMP["parameters"]}]
def tools():
    said = c.messages.create(model=TOOLS, max_tokens=200, messages=ASK, tools=GIVEN, tool_choice={"type": "tool", "name": "lamp"})
    call = said.content[-1]
    answered = [*ASK, {"role": "assistant", "content": said.content}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "done"}]}]
    c.messages.create(model=TOOLS, max_tokens=4, messages=answered, tools=GIVEN)
    return type(call.input["on"]) is bool
feature("tools", tools)
def tools_stream():
    with c.messages.stream(model=TOOLS, max_tokens=200, messages=ASK, tools=GIVEN, tool_choice={"type": "any"}) as s:
        return s.get_final_message().content[-1].name
feature("tools stream", tools_stream)
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
feature("tools", lambda: litellm.completion(**{**o, "model": "openai/" + TOOLS}, messages=ASK, tools=CALLABLE, tool_choice="required").choices[0].message.tool_calls[0].function.name)
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
from langchain_core.tools import tool
@tool
def lamp(on: bool) -> str:
    "Switches the lamp."
feature("tools", lambda: type(ChatOpenAI(**{**o, "model": TOOLS}).bind_tools([lamp], tool_choice="any").invoke("What is a dog?").tool_calls[0]["args"]["on"]) is bool)
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
from langchain_core.tools import tool
@tool
def lamp(on: bool) -> str:
    "Switches the lamp."
feature("tools", lambda: ChatAnthropic(model=TOOLS, base_url=URL, api_key=KEY, max_tokens=200).bind_tools([lamp], tool_choice="any").invoke("What is a dog?").tool_calls[0]["name"] == "lamp")
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
from llama_index.core.tools import FunctionTool
def lamp(on: bool) -> str:
    "Switches the lamp."
t = OpenAILike(model=TOOLS, api_base=URL + "/v1", api_key=KEY, is_chat_model=True, is_function_calling_model=True)
feature("tools", lambda: t.get_tool_calls_from_response(t.chat_with_tools([FunctionTool.from_defaults(lamp)], "What is a dog?", tool_required=True))[0].tool_name == "lamp")
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
class Lamp(pydantic.BaseModel):
    on: bool
feature("tools", lambda: type(instructor.from_openai(c, mode=instructor.Mode.TOOLS).chat.completions.create(model=TOOLS, messages=ASK, response_model=Lamp, max_retries=1).on) is bool)
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
import pydantic
class Lamp(pydantic.BaseModel):
    on: bool
for name, kind in (("tools", OpenAIChatModel), ("tools in responses", OpenAIResponsesModel)):
    feature(name, lambda: type(Agent(kind(TOOLS, provider=p), output_type=Lamp).run_sync("What is a dog?").output.on) is bool)
""",
    ),
    Client(
        "openai-agents",
        ("openai-agents",),
        """
import openai
from agents import Agent, Runner, OpenAIResponsesModel, OpenAIChatCompletionsModel, set_tracing_disabled
set_tracing_disabled(True)
def c():  # a loop of asyncio each
    return openai.AsyncOpenAI(base_url=URL + "/v1", api_key=KEY, max_retries=0)
for name, kind in (("responses", OpenAIResponsesModel), ("chat", OpenAIChatCompletionsModel)):
    def agent():
        return Agent(name="a", instructions="Answer.", model=kind(model=MODEL, openai_client=c()))
    feature(name, lambda: Runner.run_sync(agent(), "What is a dog?").final_output)
    async def streamed():
        found = Runner.run_streamed(agent(), "What is a dog?")
        async for _ in found.stream_events():
            pass
        return found.final_output
    feature(name + " stream", streamed)
from agents import ModelSettings, function_tool
from typing import Literal
@function_tool
def lamp(on: bool) -> str:
    "Switches the lamp."
    return "it is switched"
for name, kind in (("tools in responses", OpenAIResponsesModel), ("tools", OpenAIChatCompletionsModel)):
    agent = Agent(name="a", model=kind(model=TOOLS, openai_client=c()), tools=[lamp], tool_use_behavior="stop_on_first_tool", model_settings=ModelSettings(tool_choice="required", parallel_tool_calls=False))
    feature(name, lambda: Runner.run_sync(agent, "What is a dog?").final_output == "it is switched")
""",
    ),
    Client(
        "smolagents",
        ("smolagents[openai]",),
        '''
from smolagents import OpenAIServerModel
m = OpenAIServerModel(model_id=MODEL, api_base=URL + "/v1", api_key=KEY)
feature("chat", lambda: m([{"role": "user", "content": [{"type": "text", "text": "What is a dog?"}]}]).content)
feature("stream", lambda: [d.content for d in m.generate_stream([{"role": "user", "content": [{"type": "text", "text": "What is a dog?"}]}])])
from smolagents import tool
@tool
def lamp(on: bool) -> str:
    """Switches the lamp.

    Args:
        on: Whether it shines.
    """
    return "done"
t = OpenAIServerModel(model_id=TOOLS, api_base=URL + "/v1", api_key=KEY)
feature("tools", lambda: t([{"role": "user", "content": [{"type": "text", "text": "What is a dog?"}]}], tools_to_call_from=[lamp]).tool_calls[0].function.name == "lamp")
''',
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
