"""What an answer answers: without the reasoning before it, and without Markdown, LaTeX and wrappers around it."""

from __future__ import annotations

import json
import re

_REASONING = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        (r"<(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)>",
         r"</(?:\w+:)?(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)>"),
        (r"\[THINK\]", r"\[/THINK\]"),
        (r"◁think▷", r"◁/think▷"),
        (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
        (r"<\|channel\|>\s*(?:analysis|commentary)\b.*?<\|message\|>", r"<\|channel\|>\s*final\b.*?<\|message\|>"),
    )
)  # fmt: skip
"""How models mark the beginning and the end of their reasoning: DeepSeek and Qwen, Mistral, Kimi, Cohere, gpt-oss."""
_CONTROL = re.compile(r"<\|[\w ]{1,40}\|>")
_ANSWER = re.compile(r"<(answer|final_answer|final)>(.*?)(?:</\1>|$)", re.IGNORECASE | re.DOTALL)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|operatorname|emph)\s*\{([^{}]*)\}")
_ANSWER_KEYS = ("answer", "final_answer", "final answer", "choice", "option", "label")


def final_answer(text: str) -> str | None:
    """An answer without the reasoning before it; None where the reasoning never ends, so that nothing was answered.

    A chat template may open the reasoning itself: then only its end is in the answer, and all before it goes.
    """
    for opening, closing in _REASONING:
        while (end := closing.search(text)) or opening.search(text):
            begin = opening.search(text)
            if begin is None or (end is not None and end.start() < begin.start()):
                text = text[end.end() :] if end is not None else text
                continue
            end = closing.search(text, begin.end())
            if end is None:
                text = text[: begin.start()]
                if not text.strip():
                    return None
                break
            text = text[: begin.start()] + text[end.end() :]
    return _CONTROL.sub("", text)


def unmarked(text: str) -> str:
    """The text that Markdown and LaTeX would show: no marks of emphasis, headings, lists, quotations, code and math."""
    text = re.sub(r"^\s*```[^\n`]*$", "", text, flags=re.MULTILINE)
    for start in reversed([found.start() for found in _BOXED.finditer(text)]):
        opened = text.index("{", start)
        closed = _closing(text, opened)
        text = text[:start] + text[opened + 1 : closed] + text[closed + 1 :]
    while (shown := _LATEX_TEXT.sub(r"\1", text)) != text:
        text = shown
    text = re.sub(r"\\[()\[\]]", "", text)
    text = re.sub(r"(\$\$?)(?=[^\s$])([^$\n]+)(?<=\S)\1(?!\d)", r"\2", text)
    text = re.sub(r"^[ \t]*(?:#{1,6}|>+|[-*+•])[ \t]+", "", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]\n]{1,300})\]\([^)\n]{0,2000}\)", r"\1", text)
    text = re.sub(r"(\*\*|__)(?=\S)(.{1,2000}?)(?<=\S)\1", r"\2", text, flags=re.DOTALL)
    text = re.sub(r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=\S)\*(?![\w*])", r"\1", text)
    text = re.sub(r"(?<!\w)_(?=[^\s_])([^_\n]+?)(?<=\S)_(?!\w)", r"\1", text)
    return re.sub(r"(`+)([^`\n]+)\1", r"\2", text).strip()


def stated(text: str) -> str:
    r"""The part of an answer that is marked as the answer: the last `\boxed{…}`, `<answer>…</answer>`, JSON's "answer".

    All of it where nothing is marked so; unmarked in any case.
    """
    if wrapped := _ANSWER.findall(text):
        text = wrapped[-1][1]
    if boxes := list(_BOXED.finditer(text)):
        opened = boxes[-1].end() - 1
        text = text[opened + 1 : _closing(text, opened)]
    text = unmarked(text)
    if text.startswith("{") and text.endswith("}"):
        text = _of_json(text)
    return text


def _closing(text: str, opened: int) -> int:
    """Place of the brace that closes one; the end of the text where none does."""
    depth = 0
    for place in range(opened, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if not depth:
            return place
    return len(text)


def _of_json(text: str) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        return text
    named = {str(key).lower(): value for key, value in values.items()}
    found = next((named[key] for key in _ANSWER_KEYS if key in named), None)
    return str(found) if isinstance(found, (str, int, float)) else text
