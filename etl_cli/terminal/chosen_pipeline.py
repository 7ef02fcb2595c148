"""The pipeline that you choose by --pipeline or ETL_PIPELINE, for every verb."""

from __future__ import annotations

import os
from contextvars import ContextVar

VARIABLE = "ETL_PIPELINE"

_chosen: ContextVar[str | None] = ContextVar("pipeline", default=None)


def choose(pipeline: str | None) -> None:
    """Keep the choice for this call of the command."""
    _chosen.set(pipeline or None)


def chosen_pipeline() -> str | None:
    """The beginning of the pipeline's names, such as ``orders`` or ``orders-dev``; None if you chose none."""
    return _chosen.get()


def option_words() -> list[str]:
    """The option to type for the same choice; none if the shell has it."""
    chosen = chosen_pipeline()
    return ["--pipeline", chosen] if chosen and chosen != os.environ.get(VARIABLE) else []
