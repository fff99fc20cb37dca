"""Answers as they come in, on disk: what lets a run go on after a cut, and spares the same question a second time."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tutti.content import SamplingOptions, Usage
from tutti.errors import InputError, writing
from tutti.media.text_files import json_object, lines_of, read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model answered, and what it took."""

    text: str
    seconds: float
    first_token_s: float | None
    """Time to the first piece of text; None of a model that does not stream."""
    usage: Usage
    cost_usd: float
    """As the provider said; 0 where it says nothing."""
    finish_reason: str


def request_digest(
    model: str, fingerprint: str, question: str, media: Sequence[str], options: SamplingOptions | None
) -> str:
    """SHA-256 of all that an answer depends on.

    Args:
        model: Its name.
        fingerprint: What tells two models of one name apart, such as a digest of the weights.
        question: The prompt.
        media: Digests of the media.
        options: How the answer is drawn.
    """
    drawn = asdict(options) if options else None
    if drawn and not drawn["cut_media"]:
        del drawn["cut_media"]  # answers that were kept before it was there stay valid
    values = [model, fingerprint, question, list(media), drawn]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


class ReplyLog:
    """A file of answers, a JSON object a line, that is added to as they come. Any thread may use it.

    A line that was cut off is passed over, since that is how an interrupted run ends; its question is asked again.

    Args:
        path: The file; it is made at the first answer.

    Raises:
        InputError: It cannot be read, or a line is damaged otherwise; the message names the line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._known: dict[str, Reply] = {}
        self._torn = False
        if path.exists():
            self._load()

    def get(self, digest: str) -> Reply | None:
        """The answer to a request, if there is one."""
        return self._known.get(digest)

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def add(self, digest: str, reply: Reply) -> None:
        """Write an answer down at once."""
        row = {"digest": digest, **asdict(reply)}
        with self._lock:
            self._known[digest] = reply
            with writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(("\n" if self._torn else "") + json.dumps(row) + "\n")
            self._torn = False

    def _load(self) -> None:
        text = read_text(self.path)
        self._torn = bool(text) and not text.endswith("\n")
        for number, line in lines_of(text):
            if not _is_cut(line):
                self._take(number, line)

    def _take(self, number: int, line: str) -> None:
        # Behind an answer that was cut off, another process may have written one of its own in the same line.
        whole = line[max(0, line.rfind(_BEGINS)) :]
        try:
            row = json_object(whole)
            self._known[row["digest"]] = _reply(row)
        except (InputError, ValueError, KeyError, TypeError):
            raise InputError(
                f"Line {number} of {self.path} is damaged: {line[:60]!r}; expected an answer as it was written. Remove "
                "the line to have its question asked again, or the file to begin anew."
            ) from None


_BEGINS = '{"digest": "'


def _is_cut(line: str) -> bool:
    """Whether a line is the beginning of an answer whose writing was interrupted."""
    if not (line.startswith(_BEGINS) or _BEGINS.startswith(line)):
        return False
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return not line.endswith("}") or error.pos >= len(line)
    return False


def _reply(row: Mapping[str, Any]) -> Reply:
    return Reply(
        text=str(row["text"]),
        seconds=float(row["seconds"]),
        first_token_s=None if row["first_token_s"] is None else float(row["first_token_s"]),
        usage=Usage(**row["usage"]),
        cost_usd=float(row["cost_usd"]),
        finish_reason=str(row["finish_reason"]),
    )
