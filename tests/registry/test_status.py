from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.registry.status import (
    NOT_JUDGED,
    PRODUCTION,
    proposed,
    revoked,
    status_block,
    status_of,
    with_status,
)

CARD = "---\nlicense: mit\n---\n# Model\n\n{block}\n\nText.\n\n## Limits\n- Status: is a word here\n"


@pytest.fixture
def card():
    return CARD.format(block=status_block(PRODUCTION))


def test_only_the_block_is_replaced(card):
    changed = with_status(card, proposed("mean_plcc 0.9"))
    assert "Status: Proposed (gate-failed: mean_plcc 0.9)" in changed
    assert with_status(changed, PRODUCTION) == card
    assert changed.replace(status_block(proposed("mean_plcc 0.9")), "") == card.replace(status_block(PRODUCTION), "")


@given(st.text(), st.text())
def test_it_is_idempotent_whatever_the_text_and_the_reason(text, reason):
    try:
        once = with_status(text, proposed(reason))
    except DataError:
        assert "<!-- status:" in text
        return
    assert with_status(once, proposed(reason)) == once
    assert once.count("<!-- status:begin -->") == once.count("<!-- status:end -->") == 1


@pytest.mark.parametrize("reason", ["a\nb", "x --> y <!-- status:end -->", "\\1 \\g<0>", "  ", "é" * 5000])
def test_a_reason_cannot_leave_its_line(card, reason):
    changed = with_status(card, proposed(reason))
    assert len(changed.splitlines()) == len(card.splitlines())
    assert with_status(changed, PRODUCTION) == card


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "\n{}\n"),
        ("Text.", "\n{}\nText."),
        ("# Title", "# Title\n\n{}\n"),
        ("intro\n# Title\n\nText.\n", "intro\n# Title\n\n{}\n\nText.\n"),
        ("---\na: 1\n---\nText.\n", "---\na: 1\n---\n\n{}\nText.\n"),
        ("# T\nStatus: Proposed\nText.\n", "# T\n{}\nText.\n"),
        ("# T\n**Status:** old\n", "# T\n{}\n"),
        ("# T\n```\nStatus: code\n```\n", "# T\n\n{}\n```\nStatus: code\n```\n"),
    ],
)
def test_a_text_without_a_block_gets_one(text, wanted):
    assert with_status(text, PRODUCTION) == wanted.format(status_block(PRODUCTION))


@pytest.mark.parametrize(
    "text",
    [
        status_block("a") + status_block("b"),
        "<!-- status:begin -->\nStatus: x",
        "<!-- status:end -->",
        status_block("a") + "<!-- status:end -->",
    ],
)
def test_blocks_that_cannot_be_told_apart_are_refused(text):
    with pytest.raises(DataError, match="cannot be told apart"):
        with_status(text, PRODUCTION)


def test_the_status_follows_from_the_verdict(workshop):
    candidate = workshop.candidate()
    assert status_of(workshop.verdict(candidate)) == PRODUCTION == "Production (gate cleared)"
    held = status_of(workshop.verdict(candidate, mean_plcc=0.5))
    assert held.startswith("Proposed (gate-failed: mean_plcc: ")
    assert "0.5" in held
    assert status_of(None) == NOT_JUDGED
    assert revoked("found wanting") == "Revoked (found wanting)"
