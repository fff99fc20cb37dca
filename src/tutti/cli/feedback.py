"""Keep what people think of answers, and make of it what a model can learn from."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutti.cli.options import add_json, note, print_json
from tutti.cli.vault import add_vault, sealer_of
from tutti.errors import InputError
from tutti.settings import DEFAULT_TENANT

if TYPE_CHECKING:
    from tutti.content.feedback import Feedback
    from tutti.evaluate.agreement import JudgeAgreement
    from tutti.evaluate.feedback_files import FoundMedia
    from tutti.evaluate.feedback_pairs import PreferredPair
    from tutti.evaluate.feedback_store import FeedbackStore

_EPILOG = """examples:
  tutti feedback add "What is this?" photo.jpg --answer "a cat" --verdict corrected --other "a fox" --in kept \\
      --who ann --consent training
  tutti feedback add --from judged.jsonl --in kept          many at once: rows of question, answer, verdict, media ...
  tutti feedback list --in kept                             what is kept, and how well people agree
  tutti feedback export --in kept --media photos --out lessons
  tutti feedback export --in kept --media photos --out lessons --by-verification
  tutti feedback erase --in kept --who ann                  or --id ID, or --all
  tutti tune MODEL --objective dpo --data lessons/preferences.jsonl --out better

A verdict is good, bad, corrected (--other is the text as it should have been), chosen (--other is the answer that was
not chosen) or unjudged. Only what was given with --consent training is exported. Each is erased after --keep-days.
With --vault it is encrypted with the tenant's key, and `tutti vault shred` erases it with the tenant.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("action", choices=("add", "list", "export", "erase"), help="what to do")
    parser.add_argument("words", nargs="*", default=[], metavar="QUESTION [MEDIA]", help="with add: what was asked")
    parser.add_argument("--in", dest="folder", required=True, type=Path, metavar="DIR", help="where feedback is kept")
    parser.add_argument(
        "--tenant", default=DEFAULT_TENANT, metavar="NAME", help="whose (default: default, as of a server without keys)"
    )
    given = parser.add_argument_group("with add")
    given.add_argument("--from", dest="rows", type=Path, metavar="FILE", help="JSONL of many, media as paths")
    given.add_argument("--answer", metavar="TEXT", help="the answer that was judged")
    given.add_argument("--verdict", choices=("good", "bad", "corrected", "chosen", "unjudged"))
    given.add_argument("--other", default="", metavar="TEXT", help="the corrected text, or the answer not chosen")
    given.add_argument("--who", default="", metavar="NAME", help="who judges; with erase, whose judgements go")
    given.add_argument("--model", default="", metavar="NAME", help="which model answered")
    given.add_argument("--adapter", default="", metavar="NAME", help="with which adapter")
    given.add_argument("--consent", choices=("training", "measuring"), default="measuring",
                       help="whether models may learn from it (default: measuring, it is only counted)")  # fmt: skip
    given.add_argument(
        "--keep-days", type=float, default=365.0, metavar="N", help="erased after so many (default: 365)"
    )
    given.add_argument("--keep-media", action="store_true", help="keep the media too, not only their digests")
    out = parser.add_argument_group("with export")
    out.add_argument("--out", type=Path, metavar="DIR", help="folder of the files that are written")
    out.add_argument("--media", type=Path, metavar="DIR", help="where media lie that were not kept; found by digest")
    out.add_argument("--majority", action="store_true", help="where people contradict, keep what more of them say")
    out.add_argument("--by-verification", action="store_true",
                     help="also pairs of which specialists contradict one answer and support the other")  # fmt: skip
    gone = parser.add_argument_group("with erase")
    gone.add_argument("--id", metavar="ID", help="one feedback")
    gone.add_argument("--all", action="store_true", help="all of the tenant's")
    add_vault(parser, "encrypt feedback")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Do it.

    Raises:
        InputError: Words or options are missing or contradict, or what is kept is damaged or encrypted.
        CapacityError: There is no room.
    """
    from tutti.evaluate.feedback_store import FeedbackStore

    store = FeedbackStore(arguments.folder, arguments.tenant, sealer_of(arguments, str(arguments.folder)))
    {"add": _add, "list": _list, "export": _export, "erase": _erase}[arguments.action](arguments, store)


def _add(arguments: argparse.Namespace, store: FeedbackStore) -> None:
    if arguments.rows is not None:
        if arguments.words or arguments.answer:
            raise InputError("--from was given beside a question or an answer; give the one or the other.")
        ids = _add_rows(arguments, store)
        print_json({"kept": len(ids), "ids": ids}) if arguments.json else print(f"Kept {len(ids)}.")
        return
    if not arguments.words or arguments.answer is None or arguments.verdict is None:
        raise InputError("add takes the question, --answer and --verdict; `tutti feedback --help` has examples.")
    row = {name: getattr(arguments, name) for name in ("answer", "verdict", "other")}
    one, media = _given(arguments, {"question": arguments.words[0], "media": arguments.words[1:], **row}, Path())
    store.add(one, media if arguments.keep_media else None)
    print_json({"kept": 1, "ids": [one.id]}) if arguments.json else print(one.id)


def _add_rows(arguments: argparse.Namespace, store: FeedbackStore) -> list[str]:
    """Check all rows before the first is kept."""
    from tutti.media.text_files import json_object, read_lines

    taken, problems = [], []
    for number, line in read_lines(arguments.rows):
        try:
            taken.append(_given(arguments, json_object(line), arguments.rows.parent))
        except (InputError, ValueError) as error:
            problems.append(f"\n  line {number}: {str(error).rstrip('.')}")
    if problems:
        raise InputError(f"{arguments.rows} has {len(problems)} bad lines; nothing was kept:{''.join(problems[:10])}")
    for one, media in taken:
        store.add(one, media if arguments.keep_media else None)
    return [one.id for one, _ in taken]


def _given(arguments: argparse.Namespace, row: dict[str, Any], root: Path) -> tuple[Feedback, dict[str, bytes]]:
    from tutti.content.feedback import Feedback, JudgedMedium
    from tutti.providers.given import as_medium

    shared = {name: getattr(arguments, name) for name in ("who", "model", "adapter", "consent", "keep_days")}
    paths = row.get("media", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise InputError(f"media is {str(paths)[:80]}; expected a list of paths.")
    media, contents = [], {}
    for path in paths:
        medium = as_medium(root / path)
        media.append(asdict(JudgedMedium(modality=medium.modality, digest=medium.digest, name=Path(path).name)))
        if arguments.keep_media:
            contents[medium.digest] = (root / path).read_bytes()
    return Feedback.from_dict({**shared, **row, "media": media}), contents


def _list(arguments: argparse.Namespace, store: FeedbackStore) -> None:
    from tutti.evaluate.feedback_pairs import agreements

    kept = store.all()
    agreed = agreements(kept)
    if arguments.json:
        print_json({"feedback": [asdict(one) for one in kept], "agreement": {k: asdict(v) for k, v in agreed.items()}})
        return
    for one in kept:
        other = f" / {one.other!r}" if one.other else ""
        print(f"{one.id}  {one.at[:10]}  {one.verdict:<9}  {one.who or '-'}: {one.question!r} -> {one.answer!r}{other}")
    note(f"{len(kept)} kept of {arguments.tenant}.")
    _tell(agreed)


def _export(arguments: argparse.Namespace, store: FeedbackStore) -> None:
    from tutti.evaluate.feedback_files import FoundMedia, LessonFiles
    from tutti.evaluate.feedback_pairs import agreements, lessons

    if arguments.out is None:
        raise InputError("export takes --out DIR: the folder that is written.")
    kept = store.all()
    if not kept:
        raise InputError(f"There is no feedback of {arguments.tenant} in {arguments.folder}; add some beforehand.")
    media = FoundMedia(store, arguments.media)
    found = lessons(kept, majority=arguments.majority)
    more = _verified(kept, media) if arguments.by_verification else []
    files = LessonFiles(arguments.out, media)
    rows = files.write(found, more)
    agreed = agreements(kept)
    told = {
        "rows": rows,
        "by_verification": len(more),
        "disputed": found.disputed,
        "withheld": found.withheld,
        "without_media": files.without_media,
        "agreement": {name: asdict(one) for name, one in agreed.items()},
    }
    if arguments.json:
        print_json(told)
        return
    for name, count in rows.items():
        print(f"{arguments.out / name}.jsonl: {count}")
    _tell_left_out(told)
    _tell(agreed)


def _verified(kept: list[Feedback], media: FoundMedia) -> list[PreferredPair]:
    from tutti import open_provider
    from tutti.evaluate.feedback_pairs import verified_pairs
    from tutti.trust.verification.standard import standard_verifier

    return verified_pairs(kept, media.media_of, standard_verifier(open_provider))


def _tell_left_out(told: dict[str, Any]) -> None:
    if told["withheld"]:
        note(f"{told['withheld']} were given without consent to training and are left out.")
    if told["without_media"]:
        note(
            f"{told['without_media']} rows are left out since their media are not at hand; name their folder: --media."
        )
    if told["rows"]["contradictions"]:
        note(f"Pairs that contradict one another: {told['rows']['contradictions']}; contradictions.jsonl lists them.")
    if told["disputed"]:
        note(f"Answers with thumbs up and down: {told['disputed']}.")


def _tell(agreed: dict[str, JudgeAgreement]) -> None:
    for name, one in agreed.items():
        if one.alpha is not None:
            between = f" ({one.low:.2f} to {one.high:.2f})" if one.low is not None else ""
            note(f"Agreement in {name}: alpha {one.alpha:.2f}{between}, {one.units} judged twice, {one.judges} judges.")


def _erase(arguments: argparse.Namespace, store: FeedbackStore) -> None:
    if sum((bool(arguments.id), bool(arguments.who), arguments.all)) != 1:
        raise InputError("erase takes one of --id ID, --who NAME and --all.")
    if arguments.all:
        store.erase_tenant()
        count = None
    else:
        count = store.erase(lambda one: one.id == arguments.id if arguments.id else one.who == arguments.who)
        if not count:
            raise InputError(
                f"No feedback of {arguments.id or arguments.who!r} is kept; `tutti feedback list` shows all."
            )
    if arguments.json:
        print_json({"erased": "all" if count is None else count})
    else:
        print("Erased all." if count is None else f"Erased {count}.")
