"""Decide on pictures, films, recordings and texts by a policy of your own, with reasons."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tutti.cli.clusters import add_cluster, cluster_of
from tutti.cli.options import add_json, add_model, check_output, note, open_named, print_json
from tutti.cli.vault import add_vault, sealer_of
from tutti.errors import InputError, writing

_EPILOG = """examples:
  tutti moderate upload.jpg film.mp4 --policy policy.toml        decide; the same again is answered from --into
  tutti moderate uploads/ --policy policy.toml --json            a folder; one JSON object a file
  find . -name '*.jpg' | tutti moderate - --policy policy.toml   a queue: paths from a pipe, one taken at a time
  tutti moderate upload.jpg --caption "look at this" --policy policy.toml
  tutti moderate /mnt/uploads --policy /mnt/policy.toml --on ray    (extra: ray) many machines decide, this one keeps it
  tutti moderate calibrate labels.csv --policy policy.toml --false-positives 0.01
                                                                 thresholds, and heads for picture and words together
  tutti moderate hash known.jpg --label "case 17" --write known.jsonl
  tutti moderate review                                          what waits for a person, as JSON lines
  tutti moderate verdicts judged.jsonl                           the same lines with "verdict" and "by" filled in
  tutti moderate figures                                         counts, and how far people agree with the policy

A file called like an action is named as ./review. What is written beside photo.jpg stands in photo.jpg.txt.
"""
_ACTIONS = ("calibrate", "hash", "review", "verdicts", "figures")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "files", metavar="FILES", nargs="+", help="media, texts, folders, - for paths from a pipe; or an action"
    )
    parser.add_argument("--policy", metavar="FILE", help="the policy, as TOML")
    parser.add_argument("--into", default="moderation", metavar="FOLDER", help="where decisions are kept (moderation)")
    parser.add_argument("--caption", metavar="WORDS", help="what was written beside the files (default: FILE.txt)")
    parser.add_argument("--decisions", metavar="FILE", help="verdicts of people to take up first, as from review")
    parser.add_argument("--calibration", metavar="FILE", help="thresholds and heads (default: beside the policy)")
    parser.add_argument(
        "--false-positives", type=float, default=0.01, metavar="SHARE", help="with calibrate: of benign examples (0.01)"
    )
    parser.add_argument("--label", metavar="NAME", help="with hash: what the media are called in the list")
    parser.add_argument("--write", metavar="FILE", help="with hash and calibrate: where to")
    parser.add_argument("--tenant", default="default", metavar="NAME", help="whose; tenants never see one another")
    add_cluster(parser, "decide")
    add_vault(parser, "seal decisions")
    add_model(parser)
    add_json(parser, "one JSON object for each file")


def run(arguments: argparse.Namespace) -> None:
    """Decide, or do one of the actions.

    Raises:
        InputError: Something is missing or not there.
    """
    actions = {"calibrate": _calibrate, "hash": _hash, "review": _review, "verdicts": _verdicts, "figures": _figures}
    actions.get(arguments.files[0], _decide)(arguments)


def _decide(arguments: argparse.Namespace) -> None:
    policy = _policy(arguments)
    from tutti.apps.moderation.policy import read_policy
    from tutti.apps.moderation.running import run_over

    read_policy(policy)  # refused before a model is loaded
    cluster = cluster_of(arguments, partial(_moderator, arguments))
    if cluster is not None and arguments.vault is not None:
        raise InputError("A cluster's workers would send reasons unencrypted; decide with a vault on this machine.")
    files = _files(arguments)
    check_output(arguments.into, folder=True)
    journal = _journal(arguments)
    if arguments.decisions is not None:
        note(f"Verdicts taken up: {_take(journal, arguments.decisions)}.")
    moderator = _moderator(arguments)
    counts = {"allow": 0, "review": 0, "block": 0}
    if cluster is None:
        found = run_over(moderator, files, journal, arguments.caption)
    else:
        from tutti.apps.moderation.spreading import run_spread

        found = run_spread(moderator, files, journal, cluster, arguments.caption)
    for values, new in found:
        counts[values["action"]] += 1
        if arguments.json:
            print_json({name: value for name, value in values.items() if name not in ("key", "event", "time")})
        else:
            print(_sentence(values) + ("" if new else "  (decided before)"))
        sys.stdout.flush()
    _write_review(arguments, journal)
    note(f"{counts['allow']} allowed, {counts['review']} for review, {counts['block']} blocked.")


def _moderator(arguments: argparse.Namespace) -> Any:
    from tutti.apps.moderation.opening import open_moderator

    calibration = Path(arguments.calibration).expanduser() if arguments.calibration is not None else None
    return open_moderator(_policy(arguments), open_named(arguments), calibration)


def _files(arguments: argparse.Namespace) -> Iterator[Path]:
    """Paths as they are needed; those that were named are looked for before anything is loaded."""
    from tutti.apps.moderation.labels import files_in

    if arguments.files == ["-"]:
        return (Path(line.rstrip("\n")).expanduser() for line in sys.stdin if line.strip())
    named = [Path(name).expanduser() for name in arguments.files]
    for path in named:
        if not path.exists():
            raise InputError(f"{path} does not exist; expected a picture, film, recording, text or a folder of them.")
    return (file for path in named for file in files_in(path))


def _sentence(values: dict[str, Any]) -> str:
    by = f"  (by {values['by']})" if values["by"] else ""
    told = []
    for finding in values["findings"]:
        spans = ", ".join(f"{start:.1f} to {end:.1f} s" for start, end in finding["spans"][:3])
        told.append(
            f"{finding['category']} {finding['score']:.2f}{f' at {spans}' if spans else ''}: "
            f"{finding['signs'][0]['reason']}"
        )
    return f"{values['action']:6}  {values['file']}{by}  {'; '.join([*told, *values['notes']])}".rstrip()


def _write_review(arguments: argparse.Namespace, journal: Any) -> None:
    """The review file beside the decisions; under a vault `tutti moderate review` prints it."""
    from tutti.apps.moderation.running import review_rows

    rows = review_rows(journal)
    if journal.sealer is not None:
        if rows:
            note(f"Waiting for a person: {len(rows)}; print them with tutti moderate review --vault {arguments.vault}")
        return
    file = journal.file.with_name("review.jsonl")
    with writing(file):
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    if rows:
        note(f"Waiting for a person: {len(rows)}, in {file}")


def _calibrate(arguments: argparse.Namespace) -> None:
    policy = _policy(arguments)
    labels = Path(_one(arguments, "a table with file and label, or a folder with a folder for each label")).expanduser()
    if not 0 < arguments.false_positives < 1:
        raise InputError(f"--false-positives is {arguments.false_positives}; expected a share such as 0.01.")
    from tutti.apps.moderation.calibration import calibrate
    from tutti.apps.moderation.labels import read_labels
    from tutti.apps.moderation.opening import calibration_file, open_watcher
    from tutti.apps.moderation.policy import read_policy

    read_policy(policy)
    examples = read_labels(labels)
    out = Path(arguments.write).expanduser() if arguments.write is not None else calibration_file(policy)
    check_output(out)
    watcher = open_watcher(policy, open_named(arguments))
    made = calibrate(watcher, examples, arguments.false_positives, _progress if sys.stderr.isatty() else None)
    with writing(out):
        part = out.with_name(out.name + ".part")
        part.write_text(json.dumps(made.to_dict()), encoding="utf-8")
        part.replace(out)
    if arguments.json:
        print_json({"calibration": str(out), "measured": dict(made.measured)})
        return
    for name, values in made.measured.items():
        told = f"{name}: threshold {values['value']:.3f}; false positives {_interval(values['false_positives'])}"
        print(told + (f"; recall {_interval(values['recall'])}" if values["recall"] else "; no example of it"))
    note(f"Written to {out}")


def _progress(done: int, total: int) -> None:
    sys.stderr.write(f"\r\x1b[K{done:,} of {total:,} examples" + ("\n" if done == total else ""))
    sys.stderr.flush()


def _interval(values: dict[str, Any]) -> str:
    return f"{values['mean']:.1%} [{values['low']:.1%}, {values['high']:.1%}] of {values['cases']}"


def _hash(arguments: argparse.Namespace) -> None:
    if len(arguments.files) < 2 or arguments.label is None or arguments.write is None:
        raise InputError("hash takes media, --label and --write, as in: hash known.jpg --label X --write known.jsonl")
    from tutti.apps.moderation.hashing import entries_of

    out = Path(arguments.write).expanduser()
    check_output(out)
    entries = [entry for name in arguments.files[1:] for entry in entries_of(Path(name).expanduser(), arguments.label)]
    with writing(out), out.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)
    if arguments.json:
        print_json({"list": str(out), "added": len(entries)})
    else:
        print(f"{len(entries)} added to {out}.")


def _review(arguments: argparse.Namespace) -> None:
    from tutti.apps.moderation.running import review_rows

    for row in review_rows(_journal(arguments)):
        print_json(row)


def _verdicts(arguments: argparse.Namespace) -> None:
    count = _take(_journal(arguments), _one(arguments, "the rows of review with verdicts"))
    print_json({"noted": count}) if arguments.json else print(f"Verdicts noted: {count}.")


def _take(journal: Any, name: str) -> int:
    from tutti.apps.moderation.running import take_verdicts
    from tutti.media.text_files import json_object, read_lines

    rows = []
    for number, line in read_lines(name):
        try:
            rows.append(json_object(line))
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error} Expected the rows of review.") from None
    return take_verdicts(journal, rows)


def _figures(arguments: argparse.Namespace) -> None:
    from tutti.apps.moderation.running import figures_of

    found = figures_of(_journal(arguments))
    if arguments.json:
        print_json(found)
        return
    counts = found["decisions"]
    decided = f"{counts['allow']} allowed, {counts['review']} for review, {counts['block']} blocked"
    print(f"{decided}; {found['judged']} judged by people.")
    sentences = {"wrongly_stopped": "stopped, and people allow", "wrongly_passed": "passed, and people block"}
    for name, told in sentences.items():
        share = found[name]
        if share is not None:
            print(f"{told}: {share['share']:.1%} [{share['low']:.1%}, {share['high']:.1%}] of {share['of']}")


def _journal(arguments: argparse.Namespace) -> Any:
    from tutti.apps.moderation.journal import DecisionJournal

    sealer = sealer_of(arguments, arguments.into)
    return DecisionJournal(Path(arguments.into).expanduser(), arguments.tenant, sealer)


def _policy(arguments: argparse.Namespace) -> Path:
    if arguments.policy is None:
        raise InputError("No policy was given; expected --policy policy.toml.")
    return Path(arguments.policy).expanduser()


def _one(arguments: argparse.Namespace, what: str) -> str:
    if len(arguments.files) != 2:
        raise InputError(f"{len(arguments.files) - 1} words were given for {arguments.files[0]}; expected {what}.")
    return str(arguments.files[1])
