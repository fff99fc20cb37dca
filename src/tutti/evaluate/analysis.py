"""From outcomes to figures: quality with intervals, prompts, inventions, latency, tokens, cost, failures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import mean

from tutti.content import Claim
from tutti.evaluate import statistics
from tutti.evaluate.running import Outcome, failures
from tutti.evaluate.statistics import Comparison, Interval
from tutti.media import wrap


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """How one variant did with one model."""

    variant: str
    score: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Invention:
    """Something that an answer asserts and nothing supports."""

    case_id: str
    variant: str
    claim: Claim
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """Everything that is told of one model."""

    name: str
    score: Interval
    """Mean over cases, each the mean over variants; a failed request counts as wrong."""
    answered: Interval | None
    """The same over answers that do not decline and requests that did not fail."""
    prompts: tuple[PromptRow, ...]
    by: dict[str, float]
    """Mean score by metric and by tag: "metric: vqa", "tag: night"."""
    figures: dict[str, float]
    """What metrics have beside a score: POPE's precision, recall, F1 and yes-ratio; WER; CIDEr; recall at k."""
    abstained: float
    """Share of answers that decline."""
    hallucination_rate: float | None
    """Inventions among the assertions that could be checked; None where there were none."""
    answers_with_inventions: float | None
    inventions: tuple[Invention, ...]
    unchecked_claims: int
    """Assertions that nothing could be held against: no annotation, no reader of text."""
    latency_s: dict[str, float | None]
    """p50, p95, p99 of whole answers, and first_p50, first_p95 to the first token; cached answers are left out."""
    tokens: dict[str, int]
    """Prompt tokens of text and of each modality, and completion tokens."""
    cost_usd: float | None
    """A query on average; None where no price is known."""
    requests: int
    cached: int
    failed: dict[str, int]
    judge: dict[str, float] | None
    """Share that the judge holds right, and its agreement with the metric (share, and Cohen's kappa)."""

    @property
    def worst_prompt(self) -> PromptRow:
        """The variant with the lowest mean."""
        return min(self.prompts, key=lambda row: row.score.mean)

    @property
    def spread(self) -> float:
        """Best less worst variant's mean."""
        means = [row.score.mean for row in self.prompts]
        return max(means) - min(means)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Two models beside each other."""

    first: str
    second: str
    comparison: Comparison
    p_corrected: float
    """Holm's, for the number of pairs."""
    alpha: float
    pairs: int = 1
    """So many share the false alarms that are allowed."""

    @property
    def told_apart(self) -> bool:
        """Whether one may be called better."""
        return self.p_corrected < self.alpha

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        difference = self.comparison.difference
        band = f"95 % from {difference.low * 100:+.1f} to {difference.high * 100:+.1f}"
        points = f"{abs(difference.mean) * 100:.1f} points ({band})"
        p = f"p {_p(self.p_corrected)}" + (f" corrected for {self.pairs} pairs" if self.pairs > 1 else "")
        if self.told_apart:
            better, worse = (self.first, self.second) if difference.mean > 0 else (self.second, self.first)
            return f"{better} is better than {worse} by {points}, {p}."
        if self.comparison.detectable == 0:
            return f"{self.first} and {self.second} cannot be told apart: every case has the same score."
        needed = self.comparison.cases_needed
        enough = f"about {needed:,} cases would do" if needed else "no number of cases would tell"
        return (
            f"{self.first} and {self.second} cannot be told apart on {difference.cases} cases: {points}, "
            f"{p}; {enough}, and these find "
            f"{self.comparison.detectable * 100:.0f} points or more."
        )


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"


def report_on(name: str, outcomes: Sequence[Outcome]) -> ModelReport:
    """Figures of one model, from all its outcomes."""
    scored = [outcome for outcome in outcomes if outcome.score is not None]
    answered = [outcome for outcome in scored if outcome.score and not outcome.score.abstained]
    inventions, checked, with_some, asserting = _inventions(scored)
    extras = [outcome.score.extra for outcome in scored if outcome.score]
    variants = list(dict.fromkeys(outcome.variant for outcome in outcomes))
    costs = [outcome.cost_usd for outcome in scored]
    return ModelReport(
        name=name,
        score=_interval(outcomes),
        answered=_interval(answered) if answered else None,
        prompts=tuple(
            PromptRow(variant=one, score=_interval([o for o in outcomes if o.variant == one])) for one in variants
        ),
        by=_by(outcomes),
        figures=_figures(scored),
        abstained=len(scored) and sum(bool(o.score and o.score.abstained) for o in scored) / len(scored),
        hallucination_rate=len(inventions) / checked if checked else None,
        answers_with_inventions=with_some / asserting if asserting else None,
        inventions=tuple(inventions),
        unchecked_claims=int(sum(extra.get("unchecked", 0) for extra in extras)),
        latency_s=_latency(scored),
        tokens=_tokens(scored),
        cost_usd=mean(cost for cost in costs if cost is not None) if costs and None not in costs else None,
        requests=len(outcomes),
        cached=sum(outcome.cached for outcome in outcomes),
        failed={error: len(some) for error, some in failures(outcomes).items()},
        judge=_judge(scored),
    )


def verdicts(outcomes: Sequence[Outcome], *, alpha: float = 0.05) -> list[Verdict]:
    """Every pair of models, the better ones first, with p-values corrected for their number."""
    scores = {name: case_scores([o for o in outcomes if o.model == name]) for name in _models(outcomes)}
    order = sorted(scores, key=lambda name: -mean(scores[name].values()))
    clusters = {outcome.case.id: outcome.case.cluster for outcome in outcomes}
    pairs = list(combinations(order, 2))
    compared = [
        statistics.compare(
            [scores[first][case] for case in clusters],
            [scores[second][case] for case in clusters],
            list(clusters.values()),
            alpha=alpha,
            tests=len(pairs),
        )
        for first, second in pairs
    ]
    corrected = statistics.holm([one.p_value for one in compared])
    return [
        Verdict(first=first, second=second, comparison=one, p_corrected=p, alpha=alpha, pairs=len(pairs))
        for (first, second), one, p in zip(pairs, compared, corrected, strict=True)
    ]


def ranks(models: Sequence[str], judged: Sequence[Verdict]) -> dict[str, int]:
    """Rank of each model: one more than the number of models that are surely better than it."""
    worse = Counter(
        (one.second if one.comparison.difference.mean > 0 else one.first) for one in judged if one.told_apart
    )
    return {name: 1 + worse[name] for name in models}


def case_scores(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Case id → mean score over variants; what failed is wrong."""
    found: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        found[outcome.case.id].append(_value(outcome))
    return {case: mean(values) for case, values in found.items()}


def _value(outcome: Outcome) -> float:
    return outcome.score.value if outcome.score else 0.0


def _models(outcomes: Sequence[Outcome]) -> list[str]:
    return list(dict.fromkeys(outcome.model for outcome in outcomes))


def _interval(outcomes: Sequence[Outcome]) -> Interval:
    scores = case_scores(outcomes)
    clusters = {outcome.case.id: outcome.case.cluster for outcome in outcomes}
    return statistics.share_interval(list(scores.values()), [clusters[case] for case in scores])


def _by(outcomes: Sequence[Outcome]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for key in (f"metric: {outcome.case.metric}", *(f"tag: {tag}" for tag in outcome.case.tags)):
            found[key].append(_value(outcome))
    return {key: mean(values) for key, values in sorted(found.items())}


def _inventions(outcomes: Sequence[Outcome]) -> tuple[list[Invention], int, int, int]:
    """Inventions, checked assertions, answers with an invention, and answers with a checked assertion."""
    found: list[Invention] = []
    checked = with_some = asserting = 0
    for outcome in outcomes:
        claims = outcome.score.claims if outcome.score else ()
        wrong = [claim for claim in claims if claim.supported is False]
        sure = sum(claim.supported is not None for claim in claims)
        checked += sure
        asserting += sure > 0
        with_some += bool(wrong)
        text = outcome.reply.text if outcome.reply else ""
        found += [
            Invention(case_id=outcome.case.id, variant=outcome.variant, claim=claim, answer=text) for claim in wrong
        ]
    return found, checked, with_some, asserting


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    out: dict[str, float] = {}
    by_metric: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_metric[outcome.case.metric].append(outcome)
    if "pope" in by_metric:
        out |= _pope(by_metric["pope"])
    if "wer" in by_metric:
        total = _sums(by_metric["wer"])
        if total["words"]:
            out["word error rate"] = total["word_errors"] / total["words"]
    if "caption" in by_metric:
        out["CIDEr-D"] = _sums(by_metric["caption"])["cider"] / len(by_metric["caption"])
    if "recall" in by_metric:
        total, count = _sums(by_metric["recall"]), len(by_metric["recall"])
        out |= {f"recall at {k}": total[f"recall_at_{k}"] / count for k in (1, 5, 10)}
    if "choice" in by_metric:
        out["choices that could not be parsed"] = _sums(by_metric["choice"])["unparsed"] / len(by_metric["choice"])
    return out


def _sums(outcomes: Sequence[Outcome]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for outcome in outcomes:
        for key, value in (outcome.score.extra if outcome.score else {}).items():
            total[key] += value
    return total


def _pope(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """POPE's figures (Li et al. 2023, section 4); what is undefined, such as precision without a yes, is left out."""
    total, count = _sums(outcomes), len(outcomes)
    parsed = count - total["unparsed"]
    out = {"POPE accuracy": mean(_value(outcome) for outcome in outcomes), "POPE unparsed": total["unparsed"] / count}
    if parsed:
        out["POPE yes-ratio"] = total["yes"] / parsed
    if total["yes"]:
        out["POPE precision"] = total["true_positive"] / total["yes"]
    if total["positive"]:
        out["POPE recall"] = total["true_positive"] / total["positive"]
    if total["yes"] + total["positive"]:
        out["POPE F1"] = 2 * total["true_positive"] / (total["yes"] + total["positive"])
    return out


def _latency(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    fresh = [outcome.reply for outcome in outcomes if outcome.reply and not outcome.cached]
    # A run that went on after a cut, or one from the cache alone, still has the times that were measured then.
    replies = fresh or [outcome.reply for outcome in outcomes if outcome.reply]
    whole = [reply.seconds for reply in replies]
    first = [reply.first_token_s for reply in replies if reply.first_token_s is not None]
    out = {f"p{share}": statistics.percentile(whole, share / 100) for share in (50, 95, 99)}
    return out | {f"first_p{share}": statistics.percentile(first, share / 100) for share in (50, 95)}


def _tokens(outcomes: Sequence[Outcome]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for outcome in outcomes:
        if outcome.reply is None:
            continue
        usage = outcome.reply.usage
        total["text"] += usage.prompt_tokens - usage.media_tokens
        total["completion"] += usage.completion_tokens
        apart = {"image": usage.image_tokens, "audio": usage.audio_tokens, "video": usage.video_tokens}
        total.update({name: count for name, count in apart.items() if count})
        rest = usage.media_tokens - sum(apart.values())
        if rest > 0:  # of a model that does not tell them apart
            total["+".join(modalities(outcome.case.media)) or "media"] += rest
    return dict(total)


_known: dict[str, str] = {}


def modalities(media: Iterable[str]) -> list[str]:
    """Modalities of media, each once, in order of the alphabet."""
    for medium in media:
        if medium not in _known:
            _known[medium] = wrap(medium).modality
    return sorted({_known[medium] for medium in media})


def _judge(outcomes: Sequence[Outcome]) -> dict[str, float] | None:
    pairs = [(o.judged, _value(o) >= 0.5) for o in outcomes if o.judged is not None and o.case.metric != "judge"]
    spoken = [o.judged for o in outcomes if o.judged is not None]
    if not spoken:
        return None
    out = {"right": sum(spoken) / len(spoken)}
    if pairs:
        agreed = sum(one == other for one, other in pairs) / len(pairs)
        yes = [mean(pair[side] for pair in pairs) for side in (0, 1)]
        chance = yes[0] * yes[1] + (1 - yes[0]) * (1 - yes[1])
        out["agreement"] = agreed
        if chance < 1:
            out["kappa"] = (agreed - chance) / (1 - chance)
    return out
