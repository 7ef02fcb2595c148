"""The two kinds of Maps that the workflow can have."""

from __future__ import annotations

from typing import Any

import pytest

INLINE, DISTRIBUTED = "inline", "distributed"

# For tests of the work within a Map. Everything before, between and after the Maps is the same in both.
both_modes = pytest.mark.parametrize("maps", [INLINE, DISTRIBUTED], indirect=True)


def both_modes_within_maps(names: tuple[str, ...], *cases: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Parametrize a test over cases, those whose `state` is a Map in both modes."""
    state = names.index("state")
    modes = {True: (INLINE, DISTRIBUTED), False: (INLINE,)}
    return pytest.mark.parametrize(
        (*names, "maps"),
        [(*case, mode) for case in cases for mode in modes[case[state] in ("Extract", "Transform", "Load")]],
        indirect=["maps"],
    )
