"""A report in the trackers that a team may have: Weights & Biases, MLflow, LangSmith. No media and no paths leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tutti.errors import MissingExtra, ProviderError
from tutti.evaluate.report import Report, as_dict
from tutti.evaluate.running import Outcome

PROJECT = "tutti-evaluate"
_COLUMNS = ("model", "variant", "id", "question", "answer", "score", "seconds", "error")


def figures(report: Report) -> dict[str, float]:
    """The report's numbers by name, such as `tutti-mini/score`; what is not known is left out."""
    out: dict[str, float] = {}
    for model in report.models:
        values: dict[str, float | None] = {
            "score": model.score.mean,
            "score_low": model.score.low,
            "score_high": model.score.high,
            "worst_prompt": model.worst_prompt.score.mean,
            "abstained": model.abstained,
            "hallucination_rate": model.hallucination_rate,
            "p50_s": model.latency_s["p50"],
            "p95_s": model.latency_s["p95"],
            "cost_usd": model.cost_usd,
            "failed": float(sum(model.failed.values())),
        }
        name = "".join(letter if letter.isalnum() or letter in "-_. /" else "_" for letter in model.name)
        out |= {f"{name}/{key}": value for key, value in values.items() if value is not None}
    return out


def to_wandb(report: Report, folder: Path) -> None:
    """Log a run with its figures and a table of answers. `WANDB_MODE=offline` keeps it in the folder.

    Raises:
        MissingExtra: The library is not installed.
        ProviderError: The tracker refused or cannot be reached.
    """
    try:
        import wandb
    except ImportError:
        raise MissingExtra("Tracking in Weights & Biases", "track") from None
    with (
        _told("Weights & Biases"),
        wandb.init(project=PROJECT, name=report.suite, dir=str(folder), config={"cases": report.cases}) as run,
    ):
        run.log(figures(report))
        rows = [[answer[name] for name in _COLUMNS] for answer in as_dict(report)["answers"]]
        run.log({"answers": wandb.Table(columns=list(_COLUMNS), data=rows)})
    wandb.teardown()  # else what was logged is written only when Python ends


def to_mlflow(report: Report, folder: Path) -> None:
    """Log a run with its figures and its files, into `MLFLOW_TRACKING_URI` or a sqlite file in the folder.

    Raises:
        MissingExtra: The library is not installed.
        ProviderError: The tracker refused or cannot be reached.
    """
    try:
        import mlflow
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingExtra("Tracking in MLflow", "track") from None
    with _told("MLflow"):
        if not mlflow.is_tracking_uri_set():  # type: ignore[no-untyped-call]
            mlflow.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
        client = MlflowClient()
        found = client.get_experiment_by_name(PROJECT)
        place = (folder.resolve() / "mlflow-files").as_uri()
        experiment = found.experiment_id if found else client.create_experiment(PROJECT, artifact_location=place)
        run = client.create_run(experiment, run_name=report.suite)
        for name, value in figures(report).items():
            client.log_metric(run.info.run_id, name, value)
        for file in ("report.html", "report.json", "report.md"):
            if (folder / file).exists():
                client.log_artifact(run.info.run_id, str(folder / file))
        client.set_terminated(run.info.run_id)


def to_langsmith(report: Report, folder: Path) -> None:  # noqa: ARG001 - as the other trackers
    """Log every answer as a run, with its score among its metadata; address and key as LangSmith's own variables say.

    Raises:
        MissingExtra: The library is not installed.
        ProviderError: The tracker refused or cannot be reached.
    """
    try:
        from langsmith import Client
    except ImportError:
        raise MissingExtra("Tracking in LangSmith", "track") from None
    with _told("LangSmith"):
        client = Client(auto_batch_tracing=False)
        for outcome in report.outcomes:
            seconds = outcome.reply.seconds if outcome.reply else 0.0
            end = datetime.now(UTC)
            client.create_run(
                name=f"{report.suite}: {outcome.case.id}",
                inputs={"question": outcome.question},
                run_type="llm",
                project_name=PROJECT,
                start_time=end - timedelta(seconds=seconds),
                end_time=end,
                outputs={"answer": outcome.reply.text} if outcome.reply else None,
                error=outcome.error or None,
                extra={"metadata": _metadata(outcome)},
            )


def _metadata(outcome: Outcome) -> dict[str, object]:
    score = outcome.score.value if outcome.score else None
    return {"model": outcome.model, "variant": outcome.variant, "metric": outcome.case.metric, "score": score}


TRACKERS: dict[str, Callable[[Report, Path], None]] = {
    "wandb": to_wandb,
    "mlflow": to_mlflow,
    "langsmith": to_langsmith,
}


class _told:  # noqa: N801 - a context manager that reads as a word
    """Whatever a tracker's library raises is that tracker's failure, told in one sentence."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception):
            said = " ".join(str(error).split()).partition(". ")[0][:300]
            raise ProviderError(
                f"{self._name} did not take the report ({said}); the files of the report are written."
            ) from error
