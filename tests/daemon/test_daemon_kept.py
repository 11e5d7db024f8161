"""One answer for all who ask within a second; a failure is kept by nobody."""

from __future__ import annotations

import asyncio

import pytest

from jitctl.daemon.kept import KEPT, Kept
from jitctl.errors import LedgerError


async def test_a_crowd_costs_one_answer_and_each_question_has_its_own():
    now_s, made = 0.0, []
    kept: Kept[str] = Kept(1.0, lambda: now_s)

    def asking(question):
        async def make():
            made.append(question)
            await asyncio.sleep(0)
            return f"{question} at {now_s}"

        return kept.get(question, make)

    assert await asyncio.gather(*(asking("a") for _ in range(50))) == ["a at 0.0"] * 50
    assert await asking("b") == "b at 0.0"
    assert made == ["a", "b"]
    now_s = 1.0
    assert await asking("a") == "a at 1.0"
    for number in range(3 * KEPT):
        await asking(number)
    assert len(kept._answers) == KEPT


async def test_a_failure_is_raised_and_asked_again():
    kept: Kept[str] = Kept(1.0, lambda: 0.0)

    async def fails():
        raise LedgerError("away")

    async def works():
        return "there"

    with pytest.raises(LedgerError):
        await kept.get("q", fails)
    assert await kept.get("q", works) == "there"
