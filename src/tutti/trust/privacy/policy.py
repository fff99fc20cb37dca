"""What must be done to media and words before they may go to which model elsewhere, as data.

    [privacy]
    metadata = "remove"         # or "keep"
    faces = "refuse"            # or "redact", or "allow"
    words = "redact"
    speech = "allow"
    names = ["Anna Berg"]       # covered, or refused, as words are

    [privacy.providers.openai]  # a provider, or a model such as "http://127.0.0.1:8000/v1#mini"
    faces = "redact"

Models on this machine are sent nothing, so nothing of it counts for them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from tutti.content import Part
from tutti.errors import InputError
from tutti.interfaces import Guard, Transcriber
from tutti.providers.hosted import HostedOptions
from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS
from tutti.trust.privacy.steps import RedactionSteps

StepAction = Literal["allow", "refuse", "redact"]
_STEPS = ("faces", "words", "speech")
_METADATA = ("remove", "keep")


@dataclass(frozen=True, kw_only=True)
class PrivacyPolicy:
    """Steps that are mandatory before a model elsewhere is asked."""

    metadata: Literal["remove", "keep"] = "remove"
    """`keep` lets a caller keep it; it is removed by default in any case."""
    faces: StepAction = "allow"
    words: StepAction = "allow"
    speech: StepAction = "allow"
    """What is said: written down on this machine, and treated as words are."""
    names: tuple[str, ...] = field(default=(), repr=False)
    providers: Mapping[str, PrivacyPolicy] = field(default_factory=dict)
    """Policies of their own, by provider or model."""
    source: str = "the privacy policy"
    """What to call it in messages."""

    @classmethod
    def read(cls, path: str | Path) -> PrivacyPolicy:
        """Read the table `[privacy]` of a TOML file.

        Raises:
            InputError: The file cannot be read, or says what no policy says.
        """
        try:
            content = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"The privacy policy {path} cannot be read: {error}.") from None
        table = content.get("privacy")
        if not isinstance(table, Mapping):
            raise InputError(f"{path} has no table [privacy]; expected one that says what is mandatory.")
        providers = table.get("providers", {})
        if not isinstance(providers, Mapping):
            raise InputError(f"[privacy.providers] of {path} is {providers!r}; expected a table for each provider.")
        whole = _read(cls(source=str(path)), {key: table[key] for key in table if key != "providers"}, "[privacy]")
        own = {name: _read(whole, values, f"[privacy.providers.{name}]") for name, values in providers.items()}
        return replace(whole, providers=own)

    def before(self, model: str) -> PrivacyPolicy:
        """What counts before a model: that of its name, otherwise that of its provider, otherwise that of all."""
        provider = model.partition(":")[0]
        return self.providers.get(model) or self.providers.get(provider) or self

    def hosted(
        self, model: str, options: HostedOptions | None = None, transcriber: Callable[[], Transcriber] | None = None
    ) -> HostedOptions:
        """How a model elsewhere is called such that the policy is kept.

        Args:
            model: Its name.
            options: As they would be without a policy.
            transcriber: Opens what writes down speech on this machine, where the policy looks at what is said.

        Raises:
            InputError: The options would break the policy.
            MissingExtra: A step needs what is not installed.
        """
        options, mine = options or HostedOptions(), self.before(model)
        if options.keep_metadata and mine.metadata == "remove":
            raise InputError(
                f"By {mine.source}, metadata are removed before {model}, and they were to be kept; leave that out."
            )
        made = [_guard(mine, "refuse", transcriber), _guard(mine, "redact", transcriber)]
        guards = [one for one in (options.guard, *made) if one is not None]
        return replace(options, guard=GuardChain(guards) if guards else None)


def _read(base: PrivacyPolicy, values: Any, where: str) -> PrivacyPolicy:
    if not isinstance(values, Mapping):
        raise InputError(f"{where} of {base.source} is {values!r}; expected a table.")
    for name, value in values.items():
        if name == "names":
            if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
                raise InputError(f"names in {where} of {base.source} is {value!r}; expected a list of names.")
            base = replace(base, names=tuple(value))
            continue
        known = _METADATA if name == "metadata" else get_args(StepAction) if name in _STEPS else None
        if known is None:
            expected = ", ".join(("metadata", *_STEPS, "names"))
            raise InputError(f"{where} of {base.source} has {name!r}, which is not known; expected: {expected}.")
        if value not in known:
            raise InputError(f"{name} in {where} of {base.source} is {value!r}; expected {' or '.join(known)}.")
        base = replace(base, **{name: value})
    return base


def _guard(
    policy: PrivacyPolicy, action: Literal["refuse", "redact"], transcriber: Callable[[], Transcriber] | None
) -> Guard | None:
    """What does the steps that have this action; None where none has."""
    mine = {name for name in _STEPS if getattr(policy, name) == action}
    if not mine:
        return None
    from tutti.trust.privacy.guard import PrivacyGuard
    from tutti.trust.privacy.redaction import Redactor
    from tutti.trust.privacy.tools import tools_for

    if "speech" in mine and transcriber is None:
        raise InputError(f"{policy.source} looks at what is said, and nothing was given that writes down speech.")
    reads = "words" in mine
    steps = RedactionSteps(
        faces="faces" in mine,
        words=IDENTIFIER_KINDS if reads or "speech" in mine else (),
        names=policy.names,
        speech="speech" in mine,
    )
    tools = tools_for(steps, transcriber=transcriber() if steps.speech and transcriber else None)
    return PrivacyGuard(Redactor(steps, tools if reads else replace(tools, reader=None)), action)


class GuardChain:
    """Guards one after another: what one admits is what the next one sees.

    Args:
        guards: In their order.
    """

    def __init__(self, guards: Sequence[Guard]) -> None:
        self.guards = tuple(guards)

    def admit(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts as they may go on. Errors are those of the guards."""
        for guard in self.guards:
            parts = guard.admit(parts)
        return parts
