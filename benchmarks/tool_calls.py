"""How often a model calls the right tool with the right arguments, and calls none where none is needed.

    python -m recipes.weights qwen-coder --into published
    tutti convert published/qwen-coder/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --into qwen
    python benchmarks/tool_calls.py --model qwen [--quantize int8] [--details]

50 requests, each with one to five tools of which one is meant, and 20 with as many that none of them is for; greedy,
`tool_choice` "auto". A request counts as right if there is exactly one call, of the tool that is meant, whose arguments
are those that are listed here: texts without regard to case, numbers by their value, nothing missing. Arguments that
are not required may be there in addition. Beside it the same with `tool_choice` "required", which says how much of what
is wrong is a wrong decision whether to call at all. 95 % intervals are Wilson's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tutti
from tutti.content import Answer, Tool, ToolCall, Usage
from tutti.media.text_files import json_object, read_lines


def tool(name: str, description: str, required: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Tool:
    """A tool whose arguments are given as name → type, list of choices, or schema."""
    given = {**required, **(optional or {})}
    properties = {
        key: {"type": kind}
        if isinstance(kind, str)
        else {"type": "string", "enum": kind}
        if isinstance(kind, list)
        else kind
        for key, kind in given.items()
    }
    return Tool(name, description, {"type": "object", "properties": properties, "required": list(required)})


TOOLS = {
    one.name: one
    for one in (
        tool("get_weather", "Get the current weather of a city.", {"city": "string"},
             {"unit": ["celsius", "fahrenheit"]}),
        tool("send_email", "Send an email.", {"to": "string", "subject": "string", "body": "string"}),
        tool("convert_currency", "Convert an amount of money from one currency to another.",
             {"amount": "number", "from_currency": "string", "to_currency": "string"}),
        tool("set_alarm", "Set an alarm clock.", {"time": {"type": "string", "description": "As HH:MM, 24 hours."}}),
        tool("play_music", "Play music by an artist.", {"artist": "string"}),
        tool("translate_text", "Translate a text into another language.", {"text": "string", "language": "string"}),
        tool("search_web", "Search the web.", {"query": "string"}),
        tool("get_stock_price", "Get the current price of a stock.",
             {"symbol": {"type": "string", "description": "Ticker symbol."}}),
        tool("create_reminder", "Create a reminder.",
             {"text": "string", "date": {"type": "string", "description": "As YYYY-MM-DD."}}),
        tool("turn_lights", "Turn the lights of a room on or off.", {"room": "string", "state": ["on", "off"]}),
        tool("book_table", "Book a table in a restaurant.", {"restaurant": "string", "people": "integer"}),
        tool("calculate", "Calculate an arithmetic expression.", {"expression": "string"}),
        tool("read_file", "Read a file from disk.", {"path": "string"}),
        tool("delete_file", "Delete a file from disk.", {"path": "string"}),
        tool("get_time", "Get the current local time of a city.", {"city": "string"}),
        tool("find_flights", "Find flights between two cities.", {"origin": "string", "destination": "string"}),
    )
}  # fmt: skip
Wanted = tuple[str, str, dict[str, Any]]
WANTED: list[Wanted] = [
    ("What is the weather in Paris?", "get_weather", {"city": "Paris"}),
    ("Is it raining in Oslo right now?", "get_weather", {"city": "Oslo"}),
    ("How warm is it in Cairo, in celsius?", "get_weather", {"city": "Cairo", "unit": "celsius"}),
    ("Tell me the weather of Tokyo in fahrenheit.", "get_weather", {"city": "Tokyo", "unit": "fahrenheit"}),
    ("Do I need an umbrella in London today?", "get_weather", {"city": "London"}),
    ("Send an email to anna@example.org with the subject Hello and the body See you soon.", "send_email",
     {"to": "anna@example.org", "subject": "Hello", "body": ("See you soon", "See you soon.")}),
    ("Write to bob@example.com, subject Invoice, saying: The invoice is paid.", "send_email",
     {"to": "bob@example.com", "subject": "Invoice", "body": ("The invoice is paid", "The invoice is paid.")}),
    ("Mail carl@example.net the text Happy birthday! with subject Congratulations.", "send_email",
     {"to": "carl@example.net", "subject": "Congratulations", "body": ("Happy birthday!", "Happy birthday")}),
    ("Convert 20 EUR to USD.", "convert_currency", {"amount": 20, "from_currency": "EUR", "to_currency": "USD"}),
    ("How much is 150 USD in JPY?", "convert_currency", {"amount": 150, "from_currency": "USD", "to_currency": "JPY"}),
    ("Please change 99.5 GBP into CHF.", "convert_currency",
     {"amount": 99.5, "from_currency": "GBP", "to_currency": "CHF"}),
    ("What are 1000 INR in EUR?", "convert_currency", {"amount": 1000, "from_currency": "INR", "to_currency": "EUR"}),
    ("Wake me at 07:30.", "set_alarm", {"time": "07:30"}),
    ("Set an alarm for 18:45.", "set_alarm", {"time": "18:45"}),
    ("I have to get up at 05:15, set the alarm clock.", "set_alarm", {"time": "05:15"}),
    ("Play something by Miles Davis.", "play_music", {"artist": "Miles Davis"}),
    ("I want to hear Nina Simone.", "play_music", {"artist": "Nina Simone"}),
    ("Put on some music by The Beatles.", "play_music", {"artist": ("The Beatles", "Beatles")}),
    ("Translate 'good morning' into French.", "translate_text",
     {"text": "good morning", "language": ("French", "fr")}),
    ("Translate 'thank you' into German.", "translate_text", {"text": "thank you", "language": ("German", "de")}),
    ("How do you say 'the cat sleeps' in Spanish? Use the translator.", "translate_text",
     {"text": "the cat sleeps", "language": ("Spanish", "es")}),
    ("Search the web for cheap laptops.", "search_web", {"query": ("cheap laptops",)}),
    ("Look up vegan recipes on the web.", "search_web", {"query": ("vegan recipes",)}),
    ("Search for the history of jazz.", "search_web", {"query": ("history of jazz", "the history of jazz")}),
    ("What is the stock price of AAPL?", "get_stock_price", {"symbol": "AAPL"}),
    ("How is the share TSLA doing?", "get_stock_price", {"symbol": "TSLA"}),
    ("Give me the current price of MSFT stock.", "get_stock_price", {"symbol": "MSFT"}),
    ("Remind me to call mum on 2026-12-24.", "create_reminder",
     {"text": ("call mum", "call my mum"), "date": "2026-12-24"}),
    ("Create a reminder 'pay rent' for 2027-01-01.", "create_reminder", {"text": "pay rent", "date": "2027-01-01"}),
    ("Remind me on 2026-11-30 to water the plants.", "create_reminder",
     {"text": "water the plants", "date": "2026-11-30"}),
    ("Turn on the lights in the kitchen.", "turn_lights", {"room": "kitchen", "state": "on"}),
    ("Switch the bedroom lights off.", "turn_lights", {"room": "bedroom", "state": "off"}),
    ("Lights off in the garage, please.", "turn_lights", {"room": "garage", "state": "off"}),
    ("It is dark in the bathroom, turn on the lights.", "turn_lights", {"room": "bathroom", "state": "on"}),
    ("Book a table for 4 people at Luigi.", "book_table", {"restaurant": "Luigi", "people": 4}),
    ("Reserve a table at Sakura for 2 people.", "book_table", {"restaurant": "Sakura", "people": 2}),
    ("We are 6 people, book a table at Le Jardin.", "book_table", {"restaurant": "Le Jardin", "people": 6}),
    ("Calculate 12 * 37.", "calculate", {"expression": "12*37"}),
    ("Compute 1024 / 16.", "calculate", {"expression": "1024/16"}),
    ("Work out (3 + 5) * 7.", "calculate", {"expression": "(3+5)*7"}),
    ("Read the file notes.txt.", "read_file", {"path": "notes.txt"}),
    ("Show me what is in /etc/hosts.", "read_file", {"path": "/etc/hosts"}),
    ("Open config/settings.json and read it.", "read_file", {"path": "config/settings.json"}),
    ("Delete the file old.log.", "delete_file", {"path": "old.log"}),
    ("Remove /tmp/cache.bin from the disk.", "delete_file", {"path": "/tmp/cache.bin"}),
    ("What time is it in Sydney?", "get_time", {"city": "Sydney"}),
    ("Tell me the current time of New York.", "get_time", {"city": "New York"}),
    ("Find flights from Berlin to Rome.", "find_flights", {"origin": "Berlin", "destination": "Rome"}),
    ("I want to fly from Madrid to Lisbon.", "find_flights", {"origin": "Madrid", "destination": "Lisbon"}),
    ("Which flights go from Boston to Chicago?", "find_flights", {"origin": "Boston", "destination": "Chicago"}),
]  # fmt: skip
UNNEEDED = [
    "Hello!", "Tell me a joke.", "Who wrote Hamlet?", "What does HTTP stand for?", "Explain recursion in one sentence.",
    "Write a haiku about autumn.", "What colour is a banana?", "Name three primary colours.", "Thank you, goodbye.",
    "What is the capital of France?", "How many legs does a spider have?",
    "Write a Python function that adds two numbers.",
    "What is the opposite of hot?", "Give me a synonym of big.", "What is a linked list?", "Who are you?",
    "Is a tomato a fruit?", "How do I sort a list in Python?", "What comes after Tuesday?", "Spell the word cat.",
]  # fmt: skip
DOMAINS = ("turn_lights", "book_table", "set_alarm", "play_music", "find_flights", "get_stock_price", "delete_file")
"""Tools that none of `UNNEEDED` can be thought to ask for."""


def main() -> None:
    """Ask, count, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--quantize")
    parser.add_argument("--choices", nargs="+", default=["auto", "required"], choices=["auto", "required"])
    parser.add_argument("--part", help="of the requests, such as 1/3; figures of parts add up")
    parser.add_argument("--into", help="a file of answers (JSON lines): those that it has are not asked again")
    parser.add_argument("--details", action="store_true", help="print each answer that is wrong")
    arguments = parser.parse_args()
    model = tutti.load(arguments.model, quantize=arguments.quantize)
    draw = random.Random(17)
    meant = [(question, *_among(draw, name), wanted) for question, name, wanted in WANTED]
    spare = [
        (question, tuple(TOOLS[name] for name in draw.sample(DOMAINS, 1 + place % 5)))
        for place, question in enumerate(UNNEEDED)
    ]
    if arguments.part is not None:
        number, parts = map(int, arguments.part.split("/"))
        meant, spare = meant[number - 1 :: parts], spare[number - 1 :: parts]
    report: dict[str, Any] = {"model": model.name, "quantize": arguments.quantize}
    asked = Asked(model, arguments.into)
    for choice in arguments.choices:
        seconds, right, named = 0.0, 0, 0
        for question, tools, name, wanted in meant:
            answer = asked.ask(question, tools, choice)
            seconds += answer.seconds
            named += [call.name for call in answer.tool_calls] == [name]
            good = is_right(answer, name, wanted)
            right += good
            if arguments.details and not good:
                print(
                    f"{choice}: {question} {[one.name for one in tools]} -> {answer.text[:80]!r} {answer.tool_calls}",
                    flush=True,
                )
        report[choice] = {"right": shown(right, len(meant)), "one_call_of_the_right_tool": shown(named, len(meant))}
        report[choice]["seconds_a_request"] = round(seconds / len(meant), 1)
    if "auto" in arguments.choices:
        none = 0
        for question, tools in spare:
            answer = asked.ask(question, tools, "auto")
            none += not answer.tool_calls
            if arguments.details and answer.tool_calls:
                print(f"none: {question} {[one.name for one in tools]} -> {answer.tool_calls}", flush=True)
        report["auto"]["no_call_where_none_is_needed"] = shown(none, len(spare))
    print(json.dumps(report, indent=1))


class Asked:
    """Answers of a model, kept in a file (one JSON object a line), so that a broken run goes on where it stopped."""

    def __init__(self, model: tutti.Model, path: str | None) -> None:
        self._model, self._path = model, None if path is None else Path(path)
        self._kept: dict[str, Answer] = {}
        if self._path is not None and self._path.exists():
            for line in (json_object(line) for _, line in read_lines(self._path)):
                calls = tuple(ToolCall(**call) for call in line["calls"])
                self._kept[line["key"]] = Answer(
                    text=line["text"],
                    model=model.name,
                    finish_reason=line["finish_reason"],
                    usage=Usage(),
                    seconds=line["seconds"],
                    tool_calls=calls,
                )

    def ask(self, question: str, tools: Sequence[Tool], choice: str) -> Answer:
        """The answer of the file, otherwise the model's, which is added to the file."""
        key = json.dumps([choice, question, [one.name for one in tools]])
        if key not in self._kept:
            answer = self._model.ask(question, tools=tools, tool_choice=choice, max_tokens=120)
            self._kept[key] = answer
            if self._path is not None:
                line = {
                    "key": key,
                    "text": answer.text,
                    "finish_reason": answer.finish_reason,
                    "seconds": answer.seconds,
                }
                calls = [dataclasses.asdict(call) for call in answer.tool_calls]
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({**line, "calls": calls}) + "\n")
        return self._kept[key]


def _among(draw: random.Random, name: str) -> tuple[tuple[Tool, ...], str]:
    """The tool that is meant among up to four others, in any order."""
    others = draw.sample([other for other in TOOLS if other != name], draw.randint(0, 4))
    names = draw.sample([name, *others], len(others) + 1)
    return tuple(TOOLS[one] for one in names), name


def is_right(answer: Answer, name: str, wanted: Mapping[str, Any]) -> bool:
    """Whether there is one call, of that tool, with those arguments."""
    if [call.name for call in answer.tool_calls] != [name] or answer.finish_reason != "tool_calls":
        return False
    given = answer.tool_calls[0].values()
    required: Sequence[str] = TOOLS[name].parameters["required"]
    return set(required) <= set(given) and all(_same(given.get(key), value) for key, value in wanted.items())


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return any(_same(found, one) for one in wanted)
    if isinstance(wanted, (int, float)):
        return isinstance(found, (int, float)) and found == wanted
    return isinstance(found, str) and "".join(found.casefold().split()) == "".join(wanted.casefold().split())


def shown(hits: int, count: int) -> str:
    """A share with its interval (Wilson 1927)."""
    share, z = hits / count, 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    low, high = 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)
    return f"{hits}/{count} = {100 * share:.0f} % ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    main()
