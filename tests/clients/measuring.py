# ruff: noqa: E501 - programs are kept as the documentation of their clients has them
"""Programs for clients that evaluate and that measure load."""

from __future__ import annotations

from tests.clients.cases import Client

MEASURING = (
    Client(
        "inspect-ai",
        ("inspect-ai", "openai", "anthropic"),
        """
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig, get_model
from inspect_ai.scorer import includes
from inspect_ai.tool import tool
def of(name):
    return get_model("openai-api/here/" + name, base_url=URL + "/v1", api_key=KEY, memoize=False)
async def asked(content, **given):
    return await of(MODEL).generate([ChatMessageUser(content=content)], **given)
async def chat():
    return (await asked("What is a dog?")).completion
async def picture():
    return (await asked([ContentText(text="What animal is this?"), ContentImage(image=PICTURE)])).completion
@tool
def lamp():
    async def execute(on: bool):
        '''Switches the lamp.

        Args:
            on: Whether it shines.
        '''
        return "done"
    return execute
async def tools():
    said = await of(TOOLS).generate("What is a dog?", tools=[lamp()], tool_choice="any")
    return said.choices[0].message.tool_calls[0].function == "lamp"
async def messages():
    m = get_model("anthropic/" + MODEL, base_url=URL, api_key=KEY, memoize=False)
    return (await m.generate("What is a dog?", config=GenerateConfig(max_tokens=40))).completion
feature("chat", chat)
feature("picture", picture)
feature("messages", messages)
feature("tools", tools)
feature("evaluation", lambda: eval(Task([Sample("What is a dog?", target="animal")], scorer=includes()), model=of(MODEL), display="none")[0].status == "success")
""",
    ),
    Client(
        "lm-eval",
        ("lm-eval[api]",),
        """
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
def asked(model, *words):
    return model.generate_until([Instance("generate_until", {}, (word, {"until": ["zzz"], "max_gen_toks": 20}), 0) for word in words], disable_tqdm=True)
def chat():
    m = LocalChatCompletion(model=MODEL, base_url=URL + "/v1/chat/completions", tokenizer_backend=None, tokenized_requests=False)
    from lm_eval.models.api_models import JsonChatStr
    return all(asked(m, JsonChatStr(json.dumps(ASK))))
def completions():
    m = LocalCompletionsAPI(model=MODEL, base_url=URL + "/v1/completions", tokenizer_backend=None, tokenized_requests=False)
    return all(asked(m, "What is a dog?", "What is a cat?"))
feature("chat", chat)
feature("completions", completions)
""",
    ),
    Client(
        "guidellm",
        ("guidellm", "torch<=2.13.0"),
        """
import pathlib, subprocess
pathlib.Path("prompts.jsonl").write_text("".join(json.dumps({"prompt": f"What is number {n}?"}) + "\\n" for n in range(8)))
def run(path):
    backend = f"kind=openai_http,target={URL},model={MODEL},request_format={path}"
    words = ["--data", "kind=json_file,path=prompts.jsonl", "--profile", "kind=synchronous", "--constraint", "kind=max_requests,count=4", "--output", "kind=json,path=found.json", "--disable-console"]
    command = [os.path.join(os.path.dirname(sys.executable), "guidellm"), "run", "--backend", backend, *words]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout)[-250:])
    found = pathlib.Path("found.json")
    told = json.loads(found.read_text())["benchmarks"][0]["metrics"]["request_totals"]
    found.unlink()
    return told["successful"] >= 4 and not told["errored"]
feature("chat stream", lambda: run("/v1/chat/completions"))
feature("completions stream", lambda: run("/v1/completions"))
feature("responses stream", lambda: run("/v1/responses"))
""",
    ),
)
