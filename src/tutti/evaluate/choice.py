"""From requirements to models: those that meet them, ranked with reasons, and those that do not, with theirs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from tutti.content import Usage
from tutti.errors import InputError
from tutti.media.text_files import read_text
from tutti.pricing.prices import PriceBook


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a provider's contract says of what is sent to it."""

    retention: str
    training: str
    """Whether it is used to train models; "unknown" where no page that was read says so."""
    read: date
    source: str

    @property
    def sentence(self) -> str:
        """In words, with the day and the place."""
        return f"terms: kept {self.retention}; used for training: {self.training} (read {self.read}: {self.source})"


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """A row of the catalogue."""

    name: str
    modalities: tuple[str, ...]
    context: int
    """Tokens."""
    open_weights: bool
    on_premises: bool
    licence: str
    read: date
    source: str
    regions: tuple[str, ...] = ()
    """Where queries can be kept; "any" where the weights run where one is."""
    video_minutes: float = 0.0
    memory_gb: float | None = None
    """None of a model that runs elsewhere."""
    first_token_s: float | None = None
    """None where nobody measured it."""
    quality: int = 0
    """Rough class from 1 to 4, to order what nothing was measured of; an evaluation's accuracy replaces it."""
    limits: str = ""
    terms: Terms | None = None
    """Of who serves it; None of a model on one's own machines, and where they are not known."""


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a model must do."""

    modalities: frozenset[str] = frozenset({"image"})
    video_minutes: float = 0.0
    context: int = 0
    open_weights: bool = False
    on_premises: bool = False
    region: str | None = None
    first_token_s: float | None = None
    """At most so long to the first token."""
    memory_gb: float | None = None
    """Of the device that it must run on."""
    per_month: float = 0.0
    budget_usd: float | None = None
    """A month, at most."""
    prompt_tokens: int = 1000
    completion_tokens: int = 200
    accuracy: float | None = None
    """At least so much, in the evaluation given."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What an evaluation of one's own says of a model."""

    accuracy: float
    first_token_s: float | None
    cost_usd: float | None


@dataclass(frozen=True, kw_only=True)
class Option:
    """A model, judged."""

    name: str
    reasons: tuple[str, ...]
    """For it; of one that is rejected, against it."""
    month_usd: float | None = None
    """At the provider; None where it runs on one's own machines or no price is known."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """All models, judged."""

    ranked: tuple[Option, ...] = field(default=())
    rejected: tuple[Option, ...] = field(default=())


def read_catalog(path: Path | None = None) -> dict[str, CatalogModel]:
    """The catalogue that comes with the package, with the rows of a file in the place of its own.

    Raises:
        InputError: The file cannot be read, or rows of it are wrong; the message names every one of them.
    """
    own = (files("tutti.evaluate") / "models.toml").read_text(encoding="utf-8")
    models = _parsed(own, "the catalogue")
    if path is not None:
        models |= _parsed(read_text(path), str(path))
    return models


def _parsed(text: str, name: str) -> dict[str, CatalogModel]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}.") from None
    rows, providers = tables.get("models", {}), _terms(tables.get("terms", {}), name)
    known = {one.name for one in fields(CatalogModel)} - {"terms"}
    problems, models = [], {}
    for row_name, row in rows.items():
        unknown = sorted(set(row) - known)
        missing = sorted(
            {"modalities", "context", "open_weights", "on_premises", "licence", "read", "source"} - set(row)
        )
        if unknown or missing:
            problems.append(f"models.{row_name}: {'unknown' if unknown else 'there is no'} {(unknown or missing)[0]}")
            continue
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        models[row_name] = CatalogModel(name=row_name, terms=providers.get(row_name.partition(":")[0]), **values)
    if problems:
        raise InputError(f"{name} has {len(problems)} problems; correct them:\n  " + "\n  ".join(problems))
    return models


def _terms(tables: Mapping[str, Any], name: str) -> dict[str, Terms]:
    """Provider → its terms."""
    expected = {one.name for one in fields(Terms)}
    for provider, row in tables.items():
        if set(row) != expected:
            raise InputError(
                f"terms.{provider} of {name} has {', '.join(row)}; expected {', '.join(sorted(expected))}."
            )
    return {provider: Terms(**row) for provider, row in tables.items()}


def choose(
    needs: Needs, catalog: Mapping[str, CatalogModel], book: PriceBook, measured: Mapping[str, Measured] | None = None
) -> Choice:
    """Judge every model.

    What a requirement asks for and nobody knows of a model counts against it: "unknown" is not "yes". The rest are
    ranked by measured accuracy where there is an evaluation, then by class of quality, then by cost, then by size.

    Args:
        needs: What a model must do.
        catalog: The models.
        book: Prices of the hosted ones.
        measured: What an evaluation says, by name.
    """
    ranked: list[tuple[tuple[float, ...], Option]] = []
    rejected: list[Option] = []
    for model in catalog.values():
        seen = (measured or {}).get(model.name)
        month = _month_usd(model, needs, book, seen)
        against = _against(model, needs, seen, month)
        if against:
            rejected.append(Option(name=model.name, reasons=tuple(against), month_usd=month))
        else:
            order = (-(seen.accuracy if seen else -1.0), -model.quality, month or 0.0, model.memory_gb or 0.0)
            ranked.append(
                (order, Option(name=model.name, reasons=tuple(_for(model, needs, seen, month)), month_usd=month))
            )
    ranked.sort(key=lambda item: item[0])
    return Choice(ranked=tuple(option for _, option in ranked), rejected=tuple(rejected))


def _month_usd(model: CatalogModel, needs: Needs, book: PriceBook, seen: Measured | None) -> float | None:
    if seen is not None and seen.cost_usd:
        return seen.cost_usd * needs.per_month
    if model.name not in book.models:
        return None
    usage = Usage(prompt_tokens=needs.prompt_tokens, completion_tokens=needs.completion_tokens)
    return book.models[model.name].cost_usd(usage) * needs.per_month


def _against(model: CatalogModel, needs: Needs, seen: Measured | None, month: float | None) -> list[str]:
    """Every requirement that the model does not meet, or of which nobody knows whether it does."""
    return [
        *(f"takes no {one}" for one in sorted(needs.modalities - set(model.modalities))),
        *_too_small(model, needs),
        *(["its weights are not open"] if needs.open_weights and not model.open_weights else []),
        *(["does not run on premises"] if needs.on_premises and not model.on_premises else []),
        *_where(model, needs),
        *_too_slow(model, needs, seen),
        *_too_dear(model, needs, month),
        *_too_poor(needs, seen),
    ]


def _too_small(model: CatalogModel, needs: Needs) -> list[str]:
    out = []
    if needs.video_minutes > model.video_minutes and "video" in model.modalities:
        out.append(f"takes {model.video_minutes:g} minutes of video at once, and {needs.video_minutes:g} are needed")
    if needs.context > model.context:
        out.append(f"holds {model.context:,} tokens, and {needs.context:,} are needed")
    if needs.memory_gb is not None:
        if model.memory_gb is None:
            out.append("runs at its provider only, not on a device")
        elif model.memory_gb > needs.memory_gb:
            out.append(f"needs {model.memory_gb:g} GB, and the device has {needs.memory_gb:g}")
    return out


def _where(model: CatalogModel, needs: Needs) -> list[str]:
    if needs.region is None or "any" in model.regions or needs.region in model.regions:
        return []
    return [f"is offered for {', '.join(model.regions) or 'no known region'}, not for {needs.region}"]


def _too_slow(model: CatalogModel, needs: Needs, seen: Measured | None) -> list[str]:
    if needs.first_token_s is None:
        return []
    known = seen.first_token_s if seen and seen.first_token_s is not None else model.first_token_s
    if known is None:
        return ["nobody measured its time to the first token; evaluate it and give the report"]
    return (
        []
        if known <= needs.first_token_s
        else [f"takes {known:g} s to the first token; {needs.first_token_s:g} are allowed"]
    )


def _too_dear(model: CatalogModel, needs: Needs, month: float | None) -> list[str]:
    if needs.budget_usd is None or model.on_premises:
        return []
    if month is None:
        return ["no price is known"]
    return [] if month <= needs.budget_usd else [f"costs ${month:,.0f} a month; ${needs.budget_usd:,.0f} are allowed"]


def _too_poor(needs: Needs, seen: Measured | None) -> list[str]:
    if needs.accuracy is None:
        return []
    if seen is None:
        return ["is not in the evaluation"]
    return (
        [] if seen.accuracy >= needs.accuracy else [f"is right on {seen.accuracy:.0%}; {needs.accuracy:.0%} are needed"]
    )


def _for(model: CatalogModel, needs: Needs, seen: Measured | None, month: float | None) -> Sequence[str]:
    out = [f"takes {', '.join(sorted(needs.modalities & set(model.modalities)))}"]
    if seen is not None:
        out.append(f"right on {seen.accuracy:.0%} of your examples")
    else:
        out.append(f"quality class {model.quality} of 4, not measured on your examples")
    if needs.video_minutes:
        out.append(f"{model.video_minutes:g} minutes of video at once")
    if model.on_premises:
        out.append(f"runs on your machines in {model.memory_gb:g} GB, no price a query")
    elif month is not None and needs.per_month:
        out.append(f"${month:,.0f} a month")
    if needs.region:
        out.append("runs where you are" if "any" in model.regions else f"offered in {needs.region}")
    out.append(model.licence)
    if model.terms is not None:
        out.append(model.terms.sentence)
    elif not model.on_premises:
        out.append("terms on how long queries are kept and whether they are trained on: not known here")
    return [*out, model.limits] if model.limits else out


def read_measured(report: Mapping[str, Any]) -> dict[str, Measured]:
    """What a saved report of `tutti evaluate` says of each model.

    Raises:
        InputError: It is no such report.
    """
    try:
        return {
            one["name"]: Measured(
                accuracy=one["score"]["mean"],
                first_token_s=one["latency_s"]["first_p95"],
                cost_usd=one["cost_usd"],
            )
            for one in report["models"]
        }
    except (KeyError, TypeError):
        raise InputError("This is no report; expected the report.json of `tutti evaluate`.") from None
