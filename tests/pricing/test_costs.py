"""Costs of a query and of a month, and the figures of the article that Tutti grew from, each with what explains it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.scripted_model import write_suite
from tutti.content import Audio, Image, Usage, Video
from tutti.errors import InputError
from tutti.evaluate.plots import load_plot
from tutti.evaluate.suite import read_suite
from tutti.evaluate.suite_costs import like_suite
from tutti.media import Limits
from tutti.pricing.costs import query_cost, reconcile
from tutti.pricing.months import HOURS_A_MONTH, Load, PerQuery, SelfHosting
from tutti.pricing.prices import read_prices

BOOK = read_prices()
CLIP = Path(__file__).parents[2] / "examples/media/video.mp4"
GPT4V = BOOK.price("openai:gpt-4-vision-preview")
SQUARE = Image(np.zeros((1024, 1024, 3), np.uint8))


def test_a_query_by_its_parts() -> None:
    found = query_cost(GPT4V, "x" * 40, [SQUARE], answer_tokens=100, limits=Limits())
    assert [tokens for _, tokens in found.parts] == [10, 765, 100]
    assert (found.usage.prompt_tokens, found.usage.image_tokens) == (775, 765)
    assert found.usd == pytest.approx((775 * 10 + 100 * 30) / 1e6)


def test_sound_and_video_by_the_second_and_by_pictures() -> None:
    gemini = BOOK.price("gemini:gemini-2.5-pro")
    sound = Audio(np.zeros(16000 * 2, np.float32), sample_rate_hz=16000)
    clip = Video(np.zeros((20, 64, 64, 3), np.uint8), frames_per_s=10)
    found = query_cost(gemini, "", [sound, clip], answer_tokens=1, limits=Limits())
    assert [tokens for _, tokens in found.parts] == [0, 64, 526, 1]
    by_pictures = query_cost(GPT4V, "", [clip], answer_tokens=1, frames=4, limits=Limits())
    assert by_pictures.usage.video_tokens == 4 * 255
    with pytest.raises(InputError, match="No rule is known by which openai:gpt-4-vision-preview counts audio"):
        query_cost(GPT4V, "", [sound], answer_tokens=1, limits=Limits())


def test_what_is_taken_and_not_counted_is_said_and_never_0() -> None:
    flash = BOOK.price("gemini:gemini-3.5-flash")
    sound = Audio(np.zeros(16000, np.float32), sample_rate_hz=16000)
    with pytest.raises(InputError, match=r"No rule is known by which gemini:gemini-3.5-flash counts audio; its cost"):
        query_cost(flash, "", [sound], answer_tokens=1, limits=Limits())
    with pytest.raises(InputError, match=r"gemini-3.5-flash counts the sound of a video; its cost is not told"):
        query_cost(flash, "", [Video(str(CLIP))], answer_tokens=1, limits=Limits())


def test_reconciliation_with_what_was_returned() -> None:
    found = query_cost(GPT4V, "", [SQUARE], answer_tokens=1, limits=Limits())
    assert reconcile(found, Usage(prompt_tokens=777)).sentence == (
        "estimated 765 prompt tokens, the provider counted 777 (+1.6%)"
    )
    with pytest.raises(InputError, match="nothing to reconcile"):
        reconcile(found, Usage())


def test_a_suite_has_a_mean_and_a_band(tmp_path: Path) -> None:
    rows = [{"id": str(i), "media": [f"{i}.png"], "question": "q" * (400 * i + 4), "expected": "a"} for i in range(6)]
    suite = read_suite(write_suite(tmp_path, *rows))
    found = like_suite(GPT4V, suite, answer_tokens=10, frames=8, limits=Limits())
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(sum((255 + 100 * i + 1) * 10 + 300 for i in range(6)) / 6 / 1e6)


def test_only_whole_machines() -> None:
    one = SelfHosting(usd_per_hour=1.0, queries_per_s=1.0, utilisation=0.5, peak=2.0)
    a_month = 0.25 * 3600 * HOURS_A_MONTH
    assert [one.machines(queries) for queries in (0, 1, a_month, a_month + 1, 10 * a_month)] == [1, 1, 1, 2, 10]
    assert one.usd(a_month + 1) == 2 * HOURS_A_MONTH


def test_break_even_is_where_the_lines_meet() -> None:
    per_query = PerQuery(mean=0.01, low=0.008, high=0.012)
    load = Load(per_query=per_query, hosting=SelfHosting(usd_per_hour=1.0, queries_per_s=10.0))
    meets = load.break_even()
    assert meets == pytest.approx(73_000)
    assert load.own_usd(meets) == pytest.approx(load.hosted_usd(meets))
    low, high = load.band()
    assert low == pytest.approx(0.8 * 730 / 0.012)
    assert high == pytest.approx(1.2 * 730 / 0.008)
    # One machine answers too little to meet the line; two do, within their step.
    slow = SelfHosting(usd_per_hour=1.0, queries_per_s=0.05, utilisation=1.0, peak=1.0, fixed_usd=700)
    step = 0.05 * 3600 * HOURS_A_MONTH
    found = Load(per_query=per_query, hosting=slow).break_even()
    assert found is not None
    assert step < found <= 2 * step
    assert slow.machines(found) == 2
    never = SelfHosting(usd_per_hour=1.0, queries_per_s=0.001)
    assert Load(per_query=per_query, hosting=never).break_even() is None
    assert Load(per_query=PerQuery(mean=0, low=0, high=0), hosting=slow).break_even() is None


def test_the_plot_names_the_break_even() -> None:
    load = Load(
        per_query=PerQuery(mean=0.01, low=0.008, high=0.012), hosting=SelfHosting(usd_per_hour=1.0, queries_per_s=10.0)
    )
    drawn = load_plot(load, 10_000)
    assert "break-even 73,000 (48,667 to 109,500)" in drawn
    assert "your 10,000" in drawn


def test_article_ten_thousand_queries_cost_300_to_500_dollars() -> None:
    """A picture of 1,024 x 1,024 and 940 characters, answered in 667 to 1,333 tokens (about 500 to 1,000 words).

    Two thirds of it and more are for the answer: at $30 a million, output was three times as dear as input.
    """
    low, high = (
        10_000 * query_cost(GPT4V, "x" * 940, [SQUARE], answer_tokens=tokens, limits=Limits()).usd
        for tokens in (667, 1333)
    )
    assert low == pytest.approx(300, abs=1)
    assert high == pytest.approx(500, abs=1)


def test_article_break_even_near_20_000_is_a_machine_of_600_to_1000_dollars() -> None:
    """$600 to $1,000 a month is one GPU that is always on: an L4 at $0.80 an hour is $584, an H100 would be $2,913."""
    for usd, rate in ((600, 0.03), (1000, 0.05)):
        hosting = SelfHosting(usd_per_hour=usd / HOURS_A_MONTH, queries_per_s=1.0)
        assert Load(per_query=PerQuery(mean=rate, low=rate, high=rate), hosting=hosting).break_even() == pytest.approx(
            20_000
        )
    l4 = SelfHosting(usd_per_hour=BOOK.machine("l4").usd_per_hour, queries_per_s=1.0)
    found = Load(per_query=PerQuery(mean=0.03, low=0.03, high=0.05), hosting=l4)
    assert found.break_even() == pytest.approx(19_467, abs=1)
    assert l4.machines(20_000) == 1


def test_article_150_dollars_of_fixed_cost_would_put_it_at_3000_to_5000() -> None:
    """And that buys no machine: $150 a month are $0.21 an hour, a quarter of the cheapest GPU in the book."""
    hosting = SelfHosting(usd_per_hour=150 / HOURS_A_MONTH, queries_per_s=1.0)
    ends = [
        Load(per_query=PerQuery(mean=rate, low=rate, high=rate), hosting=hosting).break_even() for rate in (0.05, 0.03)
    ]
    assert ends == pytest.approx([3000, 5000])
    assert min(machine.usd_per_hour for machine in BOOK.machines.values()) / 3 > 150 / HOURS_A_MONTH


def test_article_an_hour_of_video_is_a_million_tokens() -> None:
    """263 tokens a second of pictures and 32 of sound: 1.062 M, more than one query may hold, not 250,000.

    250,000 is what 66 tokens a frame, the low resolution of the guide on video, give for pictures alone: 237,600.
    """
    gemini = BOOK.price("gemini:gemini-2.5-pro")
    assert gemini.video_per_s is not None
    assert gemini.audio_per_s is not None
    tokens = 3600 * (gemini.video_per_s + gemini.audio_per_s)
    assert tokens == 1_062_000
    assert gemini.cost_usd(Usage(prompt_tokens=math.ceil(tokens))) == pytest.approx(2.655)
    assert pytest.approx(250_000, rel=0.05) == 3600 * 66


def test_article_a_llava_type_training_is_108_gpu_hours() -> None:
    """LLaVA-1.5 7B by its README: 3.5 h of alignment and 10 h of instruction on eight A100; $193 at $1.79 an hour."""
    hours = 8 * (3.5 + 10)
    assert hours == 108
    assert hours * BOOK.machine("a100").usd_per_hour == pytest.approx(193.32)
