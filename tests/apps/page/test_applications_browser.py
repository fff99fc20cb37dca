"""Compare, the three applications, Stop, and what is there again when the page is loaded again: in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.apps.page.browsing import DESKTOP, opened, shot, tab
from tests.apps.page.conftest import ENVIRONMENT
from tests.apps.radiology_cases import pixels
from tutti.apps.page.examples import DRAWN_EXAMPLES, drawn
from tutti.evaluate.feedback_store import FeedbackStore

pytestmark = pytest.mark.browser


def reloaded(page: Any, name: str) -> None:
    page.reload()
    page.get_by_role("tab", name="Ask").wait_for()
    tab(page, name)


def test_two_prompts_are_compared_and_the_choice_is_kept(browser: Any, address: str, place: Path) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Compare")
        page.get_by_label("The other", exact=True).click()
        page.get_by_role("option", name="tutti-mini").click()
        page.get_by_text("Prompts before the question").click()
        page.get_by_label("Prompt of the other").fill("Which word stands here?")
        page.locator("#compare-question input[type=file]").set_input_files(drawn(DRAWN_EXAMPLES[1], place))
        page.wait_for_timeout(1500)
        page.locator("#compare-question textarea").fill("What is this?")
        page.locator("#compare-question textarea").press("Enter")
        left, right = (page.get_by_role("textbox", name=side, exact=True) for side in ("Left", "Right"))
        page.wait_for_function("() => [...document.querySelectorAll('textarea')].filter(one => one.value).length >= 3")
        texts = {left.input_value(), right.input_value()}
        assert "tutti-mini" not in "".join(texts)
        reloaded(page, "Compare")
        page.wait_for_function("() => [...document.querySelectorAll('textarea')].filter(one => one.value).length >= 2")
        assert {left.input_value(), right.input_value()} == texts
        page.get_by_label("Models may learn from what I choose").check()
        page.get_by_role("button", name="Left", exact=True).click()
        page.get_by_text("Left was tutti-mini").wait_for()
        assert "So far:" in page.content()
        shot(page, "compare-chosen")
    kept = [one for one in FeedbackStore(place / "kept", "default").all() if one.verdict == "chosen"]
    same = len(texts) == 1
    assert [(one.question, one.consent) for one in kept] == ([] if same else [("What is this?", "training")])


def test_the_shop_answers_and_its_dialogue_is_there_again(browser: Any, address: str) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Shop")
        page.locator("#shop-words textarea").fill("a red lipstick")
        page.locator("#shop-words textarea").press("Enter")
        page.locator("#shop-chat").get_by_text("Velvet lipstick Carmine").first.wait_for()
        reloaded(page, "Shop")
        page.locator("#shop-chat").get_by_text("a red lipstick").wait_for()
        page.get_by_label("Offers").click()
        page.get_by_role("option", name="Velvet").first.click()
        page.get_by_role("button", name="Take it").click()
        page.get_by_text("Noted: L1").wait_for()
        shot(page, "shop-taken")
        page.get_by_role("button", name="New dialogue").click()
        page.locator("#shop-chat").get_by_text("a red lipstick").wait_for(state="detached")
        reloaded(page, "Shop")
        page.wait_for_timeout(1000)
        assert page.locator("#shop-chat").get_by_text("a red lipstick").count() == 0


def test_what_was_found_and_redacted_is_there_again(browser: Any, address: str, place: Path) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Search")
        page.get_by_label("Words", exact=True).fill("green")
        page.get_by_role("button", name="Search", exact=True).click()
        page.get_by_text("3 found").wait_for()
        tab(page, "Redact")
        page.locator("#redact-file input[type=file]").set_input_files(place / "media" / "red.png")
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Redact", exact=True).click()
        page.locator("#redacted li").first.wait_for()
        reloaded(page, "Search")
        page.get_by_text("3 found").wait_for()
        assert page.get_by_label("Words", exact=True).input_value() == "green"
        page.locator(".thumbnail-item").first.click()
        page.locator(".player img").first.wait_for()
        tab(page, "Redact")
        page.locator("#redacted li").first.wait_for()
    with opened(browser, address, DESKTOP) as page:  # somebody else sees nothing of it
        tab(page, "Search")
        page.wait_for_timeout(1000)
        assert page.get_by_text("3 found").count() == 0


def test_moderation_decides_and_a_person_judges(browser: Any, address: str, place: Path) -> None:
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Moderation")
        page.locator("#moderate-file input[type=file]").set_input_files(place / "media" / "blue.png")
        page.wait_for_timeout(1500)
        page.get_by_label("What was written, or beside it").fill("h3r0in, cheap")
        page.get_by_role("button", name="Decide").click()
        page.locator("#decided li").first.wait_for()
        decided = page.locator("#decided").inner_text()
        assert "blue.png" in decided and "heroin" in decided
        shot(page, "moderation-decided")
        reloaded(page, "Moderation")
        page.locator("#decided li").first.wait_for()
        page.get_by_label("The worst first").click()
        page.get_by_role("option", name="blue.png").first.click()
        page.locator("#why li").first.wait_for()
        page.get_by_label("Your name").fill("Anna")
        page.get_by_role("button", name="Block", exact=True).locator("visible=true").click()
        page.get_by_text("Block is noted, by Anna.").wait_for()


def test_a_report_is_drafted_edited_and_signed(browser: Any, address: str, place: Path) -> None:
    from PIL import Image as pillow

    pillow.fromarray(pixels()).save(place / "chest.png")
    key = place / "anna.pem"
    words = [sys.executable, "-m", "tutti", "radiology", "key", str(key)]
    subprocess.run(words, check=True, capture_output=True, env=ENVIRONMENT)
    with opened(browser, address, DESKTOP) as page:
        tab(page, "Radiology")
        page.get_by_label("Name of the case").fill("one")
        page.get_by_label("Modality of pictures").fill("DX")
        page.get_by_label("Body part of pictures").fill("CHEST")
        page.locator("#case-images input[type=file]").set_input_files(place / "chest.png")
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Draft").click()
        page.locator(".case").wait_for()
        assert "not for clinical use" in page.locator(".case").inner_text().lower()
        text = page.locator("#case-text textarea")
        text.fill(text.input_value() + "\nLooked at by Anna.")
        page.get_by_text("Sign", exact=True).first.click()
        page.get_by_label("First and last name").fill("Anna Berg")
        page.locator("#case-key input[type=file]").set_input_files(key)
        page.wait_for_timeout(1500)
        page.get_by_role("button", name="Sign", exact=True).last.click()
        page.get_by_text("Signed by Anna Berg").wait_for()
        shot(page, "radiology-signed")
        reloaded(page, "Radiology")
        page.get_by_text("Signed by Anna Berg").wait_for()
        assert "Looked at by Anna." in text.input_value()


def test_stop_is_there_wherever_work_may_be_long(browser: Any, address: str) -> None:
    with opened(browser, address, DESKTOP) as page:
        for name in ("Search", "Redact", "Radiology", "Moderation"):
            tab(page, name)
            button = page.get_by_role("button", name="Stop", exact=True).locator("visible=true").first
            button.click()  # with nothing under way, nothing happens
            assert button.is_enabled()
        assert not re.search("error", page.locator("body").inner_text(), re.IGNORECASE)
