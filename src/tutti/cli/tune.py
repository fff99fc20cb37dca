"""Tune a model that answers, or writes down speech, on your own data: an adapter, some parts, or the whole."""

from __future__ import annotations

import argparse
from pathlib import Path

from tutti.cli.options import add_json, add_quantize, check_output, positive
from tutti.errors import InputError

_EPILOG = """examples:
  tutti tune tutti-mini --data train.jsonl --out RUN
  tutti tune tutti-mini --data train.jsonl --out RUN --dry-run        parameters, memory, hours and cost; trains nothing
  tutti tune path/to/llava --quantize int4 --data train.jsonl --out RUN --gradient-checkpointing --rank 32
  tutti tune tutti-mini --data photos/table.csv --question "Which product is this?" --out RUN --validation held.jsonl
  tutti tune whisper-base --data calls/table.csv --language german --out RUN      recordings and what is said in them
  tutti tune path/to/model --parts connector --data llava.json --out RUN
  tutti tune tutti-mini --objective dpo --data preferences.jsonl --out RUN --guard suite.jsonl --loss-at-most 1
  tutti tune tutti-mini --objective reward --data preferences.jsonl --out RUN     then: tutti ask ... --model best:RUN
  tutti tune tutti-mini --data train.jsonl --out RUN --sweep rank=8,32 rate=1e-4,3e-4
then:
  tutti ask "Which product is this?" photo.jpg --adapter RUN
  tutti serve --adapter products=RUN

Data: JSONL of `messages` with media, LLaVA JSON, an evaluation suite, preferences (prompt, chosen, rejected), verdicts
(prompt, completion, label), a CSV or TSV, WebDataset shards, or a folder with one of the last two. All of it is checked
before anything is learned. A run that was cut goes on where it was, to the same numbers, when the command is given
again.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EPILOG
    parser.add_argument("model", metavar="MODEL", help="a built-in name, a checkpoint folder or a hub id")
    parser.add_argument("--data", required=True, type=Path, metavar="FILE", help="what is learned")
    parser.add_argument("--out", required=True, type=Path, metavar="RUN", help="the run's folder")
    _data(parser.add_argument_group("data"))
    _what(parser.add_argument_group("what is trained"))
    _how(parser.add_argument_group("how"))
    _judging(parser.add_argument_group("what counts"))
    parser.add_argument("--dry-run", action="store_true", help="print parameters, memory, time and cost; train nothing")
    parser.add_argument("--restart", action="store_true", help="forget an earlier run instead of continuing it")
    add_json(parser)


def _data(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--validation", type=Path, metavar="FILE", help="rows to validate on (a share of --data)")
    group.add_argument("--held-out", type=float, default=0.1, metavar="SHARE", help="that share (0.1); 0 is none")
    group.add_argument("--media-root", type=Path, metavar="DIR", help="where paths of media begin (the file's folder)")
    group.add_argument(
        "--question", default="What is this?", metavar="TEXT", help="asked where rows have answers only (What is this?)"
    )
    group.add_argument(
        "--rehearse", type=Path, metavar="FILE", help="questions, one a line, that it goes on answering as it does now"
    )
    group.add_argument("--language", metavar="L", help="of transcripts, where speech is learned (the model's, or en)")
    group.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be learned from")
    group.add_argument("--max-tokens", type=positive(int), metavar="N", help="longest row (the model's context)")
    group.add_argument("--data-licence", metavar="NAME", help="of the data, for the card")


def _what(group: argparse._ArgumentGroup) -> None:
    which = group.add_mutually_exclusive_group()
    which.add_argument("--lora", action="store_true", help="an adapter beside the weights (default)")
    which.add_argument(
        "--parts", metavar="NAMES", help="train connector, decoder or trunks whole, as connector,decoder"
    )
    which.add_argument("--full", action="store_true", help="train every weight")
    group.add_argument("--rank", type=positive(int), default=16, metavar="R", help="of the adapter (16)")
    group.add_argument("--alpha", type=positive(float), metavar="A", help="its strength (twice the rank)")
    group.add_argument("--dropout", type=float, default=0.0, metavar="P", help="of its inputs (0)")
    group.add_argument(
        "--targets", metavar="NAMES", help="layers that get one, as q_proj,v_proj (all of the decoder's blocks)"
    )
    add_quantize(group)


def _how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--objective", default="answers", metavar="NAME", help="answers, dpo, ipo, kto or reward (answers)"
    )
    group.add_argument("--beta", type=positive(float), default=0.1, metavar="B", help="of preferences (0.1)")
    group.add_argument("--epochs", type=positive(float), default=3.0, metavar="N", help="times through the data (3)")
    group.add_argument("--steps", type=positive(int), metavar="N", help="instead: optimizer steps")
    group.add_argument("--batch", type=positive(int), default=8, metavar="N", help="rows of a micro-batch (8)")
    group.add_argument("--micro-batches", type=positive(int), default=1, metavar="N", help="of a step (1)")
    group.add_argument(
        "--rate", type=positive(float), metavar="R", help="learning rate (2e-4; preferences 5e-5; parts or all 2e-5)"
    )
    group.add_argument("--warmup", type=float, default=0.05, metavar="SHARE", help="of the steps (0.05)")
    group.add_argument("--weight-decay", type=float, default=0.0, metavar="D", help="(0)")
    group.add_argument("--gradient-checkpointing", action="store_true", help="less memory, a third more time")
    group.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of products (float32)")
    group.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (cpu)")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="of the adapter and the order (0)")
    group.add_argument("--save-every", type=positive(float), default=60.0, metavar="S", help="seconds (60)")
    group.add_argument("--sweep", nargs="+", metavar="NAME=A,B", help="try all of rank, rate, alpha, dropout, epochs")


def _judging(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--metric", metavar="NAME", help="of `tutti evaluate`, on held-out rows (exact, or loss alone)")
    group.add_argument("--validate-every", type=positive(int), metavar="N", help="steps (an epoch)")
    group.add_argument("--patience", type=positive(int), metavar="N", help="end after N validations without a better")
    group.add_argument("--guard", type=Path, metavar="SUITE", help="what must not get worse, or nothing is handed out")
    group.add_argument(
        "--loss-at-most", type=float, default=0.0, metavar="POINTS", help="that --guard may lose (0), of 100"
    )
    group.add_argument("--track", choices=("wandb", "mlflow"), help="log figures before and after into a tracker, too")


def run(arguments: argparse.Namespace) -> int | None:
    """Tune, and print what came of it.

    Returns:
        1 if the guard refuses what was learned.

    Raises:
        InputError: The data, the model or an option are not what is expected.
        TrainingError: The run folder belongs to another run, or the loss is not finite.
    """
    from tutti.providers.registry import is_hosted

    if is_hosted(arguments.model):
        raise InputError(f"{arguments.model} is hosted, and its weights are elsewhere; name a model of this machine.")
    if arguments.objective == "reward" and arguments.guard is not None:
        raise InputError("A reward model answers nothing that --guard could ask; leave it out, and evaluate best:RUN.")
    check_output(arguments.out, folder=True)
    if arguments.sweep:
        from tutti.cli.tune_sweep import sweep

        return sweep(arguments)
    from tutti.cli.tune_run import dry_run_of, print_result, tune

    if arguments.dry_run:
        dry_run_of(arguments)
        return None
    result = tune(arguments)
    print_result(result, arguments.json)
    return None if result.promoted else 1
