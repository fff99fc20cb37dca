"""Copy media without faces, words that identify and metadata, with a record of what was done."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tutti.cli.options import add_json, check_output, note, print_json
from tutti.errors import InputError, TuttiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tutti.interfaces import Transcriber
    from tutti.trust.privacy import RedactionSteps, Redactor
    from tutti.trust.privacy.redaction import Redacted

_EPILOG = """examples:
  tutti redact photo.jpg --out safe
  tutti redact holiday --out safe --names family.txt
  tutti redact film.mp4 --out safe --speech
  tutti redact scan.dcm --out safe --secret study.key
  tutti redact holiday --out safe --dry-run --json

FILE of --names has a name a line. Each copy gets a record beside it, NAME.redaction.json, that says what was found
where and holds no identifier. Metadata are always removed. Nothing is written over: of a folder, what has a copy is
left alone.
"""
_KINDS = "email, iban, card, phone, birth_date, plate, name"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("source", metavar="IN", help="a picture, film, recording or DICOM file, or a folder of them")
    parser.add_argument("--out", metavar="OUT", required=True, help="the folder for the copies")
    parser.add_argument("--names", metavar="FILE", help="people's names to cover where they are read or said")
    parser.add_argument("--words", metavar="KINDS", help=f"which words to cover, of: {_KINDS} (all)")
    parser.add_argument("--no-words", action="store_true", help="read no text")
    parser.add_argument("--no-faces", action="store_true", help="look for no faces")
    parser.add_argument("--speech", action="store_true", help="write down speech, and silence where it identifies")
    parser.add_argument("--cover", choices=("solid", "pixelate"), default="solid", help="what is put over (solid)")
    parser.add_argument("--face-model", metavar="FILE", help="centerface.onnx, which finds more than OpenCV's cascades")
    parser.add_argument("--secret", metavar="FILE", help="32 bytes or more that make new UIDs of DICOM files")
    parser.add_argument("--dry-run", action="store_true", help="say what was found, and write nothing")
    add_json(parser, "one JSON object a file")


def run(arguments: argparse.Namespace) -> int:
    """Redact a file, or all files of a folder.

    Returns:
        0, or 2 where a file of a folder could not be redacted.

    Raises:
        TuttiError: The one file cannot be redacted, or an option makes no sense.
    """
    source, out = Path(arguments.source), Path(arguments.out)
    if not source.exists():
        raise InputError(f"{source} does not exist; check the path.")
    if source.resolve() == out.resolve():
        raise InputError(f"{out} is where the originals lie; name another folder for the copies.")
    if not arguments.dry_run:
        check_output(out, folder=True)
    redactor = _redactor(arguments)
    if source.is_dir():
        return _folder(source, out, redactor, arguments)
    from tutti.trust.privacy.folders import plain_name

    name = plain_name(source.stem, redactor.steps.names, 1)
    _say(redactor.redact(source, out, name, dry_run=arguments.dry_run, progress=_progress()), source, arguments)
    return 0


def _folder(source: Path, out: Path, redactor: Redactor, arguments: argparse.Namespace) -> int:
    from tutti.trust.privacy.folders import copies_of, is_medium, is_there

    done, failed, there, others = 0, 0, 0, 0
    for file, folder, name in copies_of(source, out, redactor.steps.names):
        if not arguments.dry_run and is_there(folder, name):
            there += 1
            continue
        if not is_medium(file):
            others += 1
            note(f"{file}: not copied, since it is none of the pictures, films and recordings that are read.")
            continue
        try:
            _say(redactor.redact(file, folder, name, dry_run=arguments.dry_run, progress=_progress()), file, arguments)
            done += 1
        except TuttiError as error:
            failed += 1
            note(f"tutti: {error}")
    what = "looked at" if arguments.dry_run else "redacted"
    note(f"{done} {what}, {failed} failed, {there} there already and left alone, {others} of other kinds not copied.")
    return 2 if failed else 0


def _redactor(arguments: argparse.Namespace) -> Redactor:
    from tutti.trust.privacy import Redactor
    from tutti.trust.privacy.tools import tools_for

    steps = _steps(arguments)
    transcriber = _transcriber() if steps.speech else None
    secret = _secret(arguments.secret) if arguments.secret else None
    return Redactor(steps, tools_for(steps, face_model=arguments.face_model, transcriber=transcriber), secret)


def _steps(arguments: argparse.Namespace) -> RedactionSteps:
    from tutti.media.text_files import read_lines
    from tutti.trust.privacy import RedactionSteps
    from tutti.trust.privacy.identifiers import IDENTIFIER_KINDS
    from tutti.trust.privacy.steps import kinds_of

    names = tuple(line.strip() for _, line in read_lines(arguments.names)) if arguments.names else ()
    kinds = IDENTIFIER_KINDS
    if arguments.words is not None:
        kinds = kinds_of([word.strip() for word in arguments.words.split(",")])
    return RedactionSteps(
        faces=not arguments.no_faces,
        words=() if arguments.no_words else kinds,
        names=names,
        speech=arguments.speech,
        cover=arguments.cover,
    )


def _transcriber() -> Transcriber:
    import tutti
    from tutti.interfaces import Transcriber

    provider = tutti.open_provider("whisper-base")
    if not isinstance(provider, Transcriber):
        raise InputError("whisper-base does not transcribe here; leave out --speech.")
    return provider


def _secret(path: str) -> bytes:
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{path} is no file; make one with: head -c 32 /dev/urandom > {path}")
    content = file.read_bytes()
    if len(content) < 32:
        raise InputError(f"{path} has {len(content)} bytes; expected 32 or more that nobody can guess.")
    return content


def _say(done: Redacted, source: Path, arguments: argparse.Namespace) -> None:
    sys.stderr.write("\r\x1b[K" if sys.stderr.isatty() else "")
    if arguments.json:
        print_json({"file": str(source), "copy": str(done.path) if done.path else None, **done.record.to_dict()})
        return
    counted: dict[str, int] = {}
    for one in done.record.findings:
        counted[one.what] = counted.get(one.what, 0) + 1
    said = ", ".join(f"{count} x {what}" if count > 1 else what for what, count in _parts(counted)) or "nothing found"
    print(f"{source} -> {done.path or '(dry run)'}: {said}")
    for sentence in done.record.notes:
        note(f"{source}: {sentence}")


def _parts(counted: dict[str, int]) -> Iterator[tuple[str, int]]:
    """What was found, with the many attributes of a DICOM header as one."""
    attributes = sum(count for what, count in counted.items() if what.startswith("dicom:"))
    yield from ((what, count) for what, count in counted.items() if not what.startswith("dicom:"))
    if attributes:
        yield "DICOM attribute", attributes


def _progress() -> Callable[[float], None] | None:
    if not sys.stderr.isatty():
        return None

    def show(done: float) -> None:
        sys.stderr.write(f"\rredacted: {done:4.0%}")
        sys.stderr.flush()

    return show
