"""Fit a specialist on labelled examples, compare it with the generalist, and make a router between the two."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tutti.cli.options import add_json, add_model, check_output, note, open_named, print_json
from tutti.errors import InputError

_EPILOG = """examples:
  tutti specialise surfaces/suite.jsonl --out router
  tutti specialise suite.jsonl --positive "a defect" --to-person 0.05 --out router
  tutti ask "Is there a defect?" part.png --model route:router
  tutti classify part.png --labels "a defect,a good part" --model route:router
  tutti evaluate suite.jsonl --model tutti-mini --model route:router

A suite has a case a line, as for `tutti evaluate`, with one medium and one label:
  {"media": ["part.png"], "question": "Is there a defect?", "expected": ["a defect"], "group": "part 17"}
Each question is a task. Half of the cases of each label are learned from, a quarter chooses, a quarter tests; cases of
one group, or one medium, stay together. The specialist is a linear head on the model's frozen embeddings, the
generalist the model's `classify`. The embedding is the same, so the specialist adds nothing to time and cost.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("suite", metavar="SUITE", type=Path, help="labelled cases, as `tutti evaluate` reads them")
    add_model(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the router there, for --model route:DIR")
    parser.add_argument("--label-as", default="{}", metavar="FORM",
                        help="how a label becomes a text for the generalist, as in 'a photo of {}'")  # fmt: skip
    parser.add_argument("--positive", metavar="LABEL", help="tell misses and false alarms of this label")
    parser.add_argument("--to-person", type=float, default=0.0, metavar="SHARE",
                        help="largest share of cases that a person may be asked (default: 0)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the split (default: 0)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Fit, measure, print and keep.

    Raises:
        InputError: A case is no labelled medium, a label has too few, or an option is out of range.
        UnsupportedTask: The model does not embed.
    """
    from tutti.errors import UnsupportedTask
    from tutti.evaluate.labelled import labelled_tasks
    from tutti.evaluate.router_files import save_router
    from tutti.evaluate.specialise_report import as_dict, as_text
    from tutti.evaluate.specialising import fit_task, router_worth
    from tutti.evaluate.suite import read_suite
    from tutti.interfaces import Embedder
    from tutti.media import wrap
    from tutti.providers.registry import is_hosted

    if not 0 <= arguments.to_person < 1:
        raise InputError(f"--to-person is {arguments.to_person:g}; expected a share from 0 to below 1.")
    if arguments.out is not None:
        check_output(arguments.out, folder=True)
    suite = read_suite(arguments.suite)
    known = {case.expected[0] for case in suite.cases if case.expected}
    if arguments.positive is not None and arguments.positive not in known:
        raise InputError(f"--positive is {arguments.positive!r}; expected a label: {', '.join(sorted(known)[:20])}.")
    embedder = open_named(arguments)
    if is_hosted(embedder.name):
        raise InputError(f"{embedder.name} is elsewhere; a specialist stands beside a model on this machine.")
    if not isinstance(embedder, Embedder):
        raise UnsupportedTask(f"{embedder.name} does not embed", "embed")
    tasks = labelled_tasks(suite, embedder, label_as=arguments.label_as, seed=arguments.seed, told=_told)
    share = arguments.to_person
    fitted = [fit_task(one, to_person=share, positive=arguments.positive, seed=arguments.seed) for one in tasks]
    worth = router_worth(fitted)
    if arguments.out is not None:
        modality = wrap(suite.cases[0].media[0]).modality
        save_router(arguments.out, fitted, embedder, label_as=arguments.label_as, media_modality=modality)
    print_json(as_dict(fitted, worth)) if arguments.json else print(as_text(fitted, worth))
    if arguments.out is not None:
        note(f'Use it: tutti ask "{tasks[0].question}" MEDIA --model route:{arguments.out}')


def _told(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rembedded {done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr, flush=True)
