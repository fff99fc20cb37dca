"""Draft radiology reports whose every sentence has a source, order them, and sign them. A demonstration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import add_json, add_model, check_output, load_model, note, print_json
from tutti.cli.vault import add_vault, opened
from tutti.errors import InputError, writing

if TYPE_CHECKING:
    from tutti.apps.radiology import Radiology

_EPILOG = """examples:
  tutti radiology draft chest.dcm --case K17 --history history.txt --note note.wav --prior 2025.txt --in cases
  tutti radiology draft hand.png --modality DX --part HAND --case K18 --in cases --out K18/     FHIR, HTML, PDF, text
  tutti radiology queue --in cases                      all cases, the urgent first; none is hidden
  tutti radiology key anna.pem                          an Ed25519 key of a person's own
  tutti radiology sign K17 --signer "Anna Lee" --key anna.pem --text accepted.txt --strike F2="artefact" --in cases
  tutti radiology sign K18 --signer "Anna Lee" --key anna.pem --accept --in cases               as it was drafted
  tutti radiology show K17 --in cases --out K17/        read a case, or write it anew
  tutti radiology show K17 --reader "Anna Lee" --in cases          begin to read: the time until she signs is counted
  tutti radiology show K17 --in cases --out K17/ --sr chest.dcm    a DICOM Structured Report, too
  tutti radiology check --in cases                      the audit log and all cases; edits, time to sign

DEMONSTRATION, NOT FOR CLINICAL USE: the shipped model is weak, and this is no medical device. A report is preliminary
until a person signs it. --history takes text or a FHIR R4 Bundle (.json); --note a recording, or a transcript of
`tutti transcribe --json`.
"""
_ACTIONS = ("draft", "queue", "sign", "show", "key", "check")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("words", metavar="WORDS", nargs="*", help="images (draft), the case (sign, show), a file (key)")
    parser.add_argument("--in", dest="within", default="cases", metavar="FOLDER", help="where cases are kept (cases)")
    parser.add_argument("--tenant", default="default", metavar="NAME", help="whose; tenants never see one another")
    parser.add_argument("--case", metavar="NAME", help="with draft: what the case is called")
    parser.add_argument(
        "--history", action="append", default=[], metavar="FILE", help="with draft: text or FHIR Bundle"
    )
    parser.add_argument("--note", action="append", default=[], metavar="FILE", help="with draft: a spoken note")
    parser.add_argument("--prior", action="append", default=[], metavar="FILE", help="with draft: an earlier report")
    parser.add_argument(
        "--modality", default="", metavar="CODE", help="with draft: of pictures without a header, as DX"
    )
    parser.add_argument("--part", default="", metavar="PART", help="with draft: body part of such pictures, as CHEST")
    parser.add_argument("--findings", metavar="FILE", help="with draft: your own table of findings, in TOML")
    parser.add_argument("--ears", metavar="MODEL", help="with draft: what writes notes down (whisper-base)")
    parser.add_argument("--out", metavar="FOLDER", help="with draft, show and sign: write FHIR, HTML, PDF and text")
    parser.add_argument(
        "--sr", action="append", default=[], metavar="FILE", help="with --out: DICOM of the case, for a DICOM SR of it"
    )
    parser.add_argument(
        "--reader", metavar="NAME", help="with show: who begins to read; their time counts until they sign"
    )
    parser.add_argument("--signer", metavar="NAME", help="with sign: first and last name of the person")
    parser.add_argument("--key", metavar="FILE", help="with sign: their Ed25519 key, as PEM")
    parser.add_argument("--password-file", metavar="FILE", help="with sign: holds the password of the key")
    parser.add_argument("--text", metavar="FILE", help="with sign: the report as they accept it")
    parser.add_argument("--accept", action="store_true", help="with sign: the text as it was drafted")
    parser.add_argument(
        "--strike", action="append", default=[], metavar="F1=REASON", help="with sign: a struck finding"
    )
    add_vault(parser, "seal cases and audit log")
    add_model(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Do one of the actions.

    Raises:
        InputError: Something is missing or not there.
    """
    {"draft": _draft, "queue": _queue, "sign": _sign, "show": _show, "key": _key, "check": _check}[arguments.action](
        arguments
    )


def _draft(arguments: argparse.Namespace) -> None:
    if arguments.case is None:
        raise InputError("The case has no name; give one with --case, as in --case K17.")
    _check_out(arguments)
    from tutti.apps.radiology import CaseFiles

    files = CaseFiles(
        images=arguments.words, history=arguments.history, notes=arguments.note, priors=arguments.prior,
        modality=arguments.modality, body_part=arguments.part,
    )  # fmt: skip
    radiology = _open(arguments)
    radiology.draft(arguments.case, files)
    _tell(arguments, radiology.cases.state(arguments.case))


def _queue(arguments: argparse.Namespace) -> None:
    rows = _open(arguments).cases.queue()
    if arguments.json:
        print_json({"cases": rows})
        return
    _warn()
    for row in rows:
        said = row.get("reason") or "; ".join(row["findings"]) or "no finding"
        apart = f"; {row['contradictions']} contradictions" if row.get("contradictions") else ""
        print(f"{row['urgency']:.1f}  {row['case']}  {row['status']}: {said}{apart}")
    if not rows:
        print("No case waits.")


def _sign(arguments: argparse.Namespace) -> None:
    case = _one(arguments, "the name of a case")
    if arguments.signer is None or arguments.key is None:
        raise InputError('A report is signed by a person; expected --signer "FIRST LAST" and --key FILE.')
    if (arguments.text is None) != arguments.accept:
        raise InputError("Say which text is accepted: --text FILE with your edits, or --accept for the draft as it is.")
    _check_out(arguments)
    radiology = _open(arguments)
    if arguments.accept:
        text = radiology.cases.draft(case).text()
    else:
        from tutti.apps.radiology.written import accepted
        from tutti.media.text_files import read_text

        text = accepted(read_text(arguments.text, 1_000_000))
    radiology.sign(
        case, signer=arguments.signer, key=arguments.key, text=text, struck=dict(map(_struck, arguments.strike)),
        password=_password(arguments),
    )  # fmt: skip
    _tell(arguments, radiology.cases.state(case))


def _password(arguments: argparse.Namespace) -> str | None:
    if arguments.password_file is None:
        return None
    from tutti.media.text_files import read_text

    return read_text(arguments.password_file, 10_000).rstrip("\r\n")


def _struck(words: str) -> tuple[str, str]:
    number, _, reason = words.partition("=")
    if not number.strip() or not reason.strip():
        raise InputError(f"--strike {words} has no finding or no reason; expected F1=REASON.")
    return number.strip(), reason.strip()


def _show(arguments: argparse.Namespace) -> None:
    _check_out(arguments)
    case, radiology = _one(arguments, "the name of a case"), _open(arguments)
    _tell(arguments, radiology.cases.state(case))
    if arguments.reader is not None:
        radiology.cases.opened(case, arguments.reader)


def _key(arguments: argparse.Namespace) -> None:
    path = _one(arguments, "the file to make")
    from tutti.trust.clinical.signing_keys import make_key

    public = make_key(path)
    if arguments.json:
        print_json({"key": path, "public_key": public})
    else:
        print(f"Wrote {path}, for its owner alone; its public key is {public}.")


def _check(arguments: argparse.Namespace) -> None:
    found = _open(arguments).cases.figures()
    if arguments.json:
        print_json(found)
        return
    edited = ""
    if found["final"]:
        kept = "" if found["agreed_share"] is None else f" Of their findings {found['agreed_share']:.0%} were kept."
        edited = (
            f"{kept} Of their words {found['edited_share']:.0%} were edited; the median time to signature was "
            f"{found['seconds_to_sign']:.0f} s."
        )
    if found["timed"]:
        edited += f" From opening to signing took {found['seconds_with_case']:.0f} s (median of {found['timed']})."
    print(
        f"The audit log holds, with {found['entries']} entries: {found['cases']} cases, {found['preliminary']} "
        f"preliminary, {found['final']} final, {len(found['damaged'])} damaged.{edited}"
    )


def _open(arguments: argparse.Namespace) -> Radiology:
    from tutti.apps.radiology import Radiology
    from tutti.apps.radiology.service import EARS

    def ears() -> Any:
        import tutti

        return tutti.load(arguments.ears or EARS)

    vault = opened(arguments)
    return Radiology(
        arguments.within, lambda: load_model(arguments), ears, tenant=arguments.tenant,
        sealer=vault.sealer(arguments.tenant) if vault is not None else None, findings=arguments.findings,
    )  # fmt: skip


def _check_out(arguments: argparse.Namespace) -> None:
    """Before a model is loaded: whether what --out writes can be written."""
    if arguments.out is None:
        if arguments.sr:
            raise InputError("--sr was given without --out; expected the folder that report.dcm is written into.")
        return
    check_output(arguments.out, folder=True)
    from tutti.apps.radiology.pages import check_pdf
    from tutti.apps.radiology.resources import check_fhir

    check_fhir()
    check_pdf()
    if arguments.sr:
        from tutti.apps.radiology.structured import check_sr

        check_sr()


def _tell(arguments: argparse.Namespace, state: dict[str, Any]) -> None:
    if arguments.out is not None:
        from tutti.apps.radiology.written import write_all

        with writing(arguments.out):
            for file in write_all(state, Path(arguments.out).expanduser(), arguments.sr):
                note(f"wrote {file}")
    if arguments.json:
        print_json(state)
        return
    _warn()
    from tutti.apps.radiology import Draft

    final = state["final"] if state["status"] == "final" else None
    print(
        f"{state['draft']['case']}: {state['status']}"
        + (f", signed by {final['statement']['signer']}" if final else "")
    )
    print()
    print((final["statement"]["text"] if final else Draft.from_dict(state["draft"]).text()).rstrip())


def _warn() -> None:
    print("DEMONSTRATION, NOT FOR CLINICAL USE; a report is preliminary until a person signs it.")


def _one(arguments: argparse.Namespace, what: str) -> str:
    if len(arguments.words) != 1:
        raise InputError(f"{len(arguments.words)} words were given for {arguments.action}; expected {what}.")
    return str(arguments.words[0])
