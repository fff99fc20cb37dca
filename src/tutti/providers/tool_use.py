"""What providers share about tools: whether a request needs them."""

from __future__ import annotations

from tutti.content import Conversation, SamplingOptions, check_tools
from tutti.errors import UnsupportedTask


def needs_tools(conversation: Conversation, options: SamplingOptions) -> bool:
    """Whether tools are offered, or the conversation holds calls of tools or their answers.

    Raises:
        InputError: The tools or `tool_choice` are not what `check_tools` expects.
    """
    check_tools(options.tools, options.tool_choice)
    turns = any(message.role == "tool" or message.tool_calls for message in conversation)
    return bool(options.offered) or turns


def refuse_tools(name: str, conversation: Conversation, options: SamplingOptions) -> None:
    """Refuse what needs tools, for a model that cannot use them.

    Raises:
        UnsupportedTask: It does.
        InputError: As `needs_tools`.
    """
    if needs_tools(conversation, options):
        raise UnsupportedTask(
            f"{name} cannot use tools; leave them out, or ask a model whose chat template takes them, such as Qwen2.5."
        )
