"""Counts and outcomes of runs in words, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl.model.counts import NOT_REPLAYABLE, rejected
from etl.model.statuses import words_for

UNTIMED = "without a time"
"""Items whose timestamp is not a time. They belong to no window, so they are counted apart from rejected ones."""


def untimed_words(number: int) -> str:
    """The end of a list: ``, 5 without a time``; empty if there are none."""
    return f", {number:,} {UNTIMED}" if number else ""


def verdict(counts: Mapping[str, int], *, reasons: bool = False) -> str:
    """The verdict on a balanced run: ``104 loaded, 34 rejected, nothing unaccounted for``."""
    number, untimed = rejected(counts), counts.get("untimed", 0)
    aside = f"{number:,} rejected" if number else "none rejected"
    if number and reasons and not untimed:  # with untimed items the line would be longer than 80 columns
        aside += " with its reason" if number == 1 else " with their reasons"
    others = {"left to a later run": counts.get("ahead"), "left out without a time": counts.get("excluded")}
    more = "".join(f", {others[words]:,} {words}" for words in others if others[words])
    return f"{counts.get('loaded', 0):,} loaded, {aside}{untimed_words(untimed)}{more}, nothing unaccounted for"


def ended(status: str, stage: str = "", error: str = "") -> str:
    """The end of a run that did not succeed, as a predicate: ``failed at Gate: QualityGateError``."""
    at = f" at {stage}" if stage else ""
    return f"{words_for(status).ended}{at}{f': {error}' if error not in ('', status) else ''}"


def replay_words(replayed: Mapping[str, Any]) -> str:
    """The result of a replay, as the ledger has it: ``replayed by 20261106T…: 150 loaded, 1 rejected again``."""
    counts = {name: number for name, number in replayed.items() if isinstance(number, int)}
    shown = {name: counts.get(name, 0) for name in ("dropped", "ahead", "excluded", "superseded")} | {
        "rejected again": rejected(counts),
        UNTIMED: counts.get("untimed", 0),
        "not replayable, since the source table lacks them": counts.get(NOT_REPLAYABLE, 0),
    }
    more = "".join(f", {number:,} {name}" for name, number in shown.items() if number)
    return f"replayed by {replayed['run']}: {counts.get('loaded', 0):,} loaded{more}"
