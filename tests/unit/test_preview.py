"""``preview()`` in the tests of a pipeline whose ``pipeline.toml`` describes other tables."""

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypedDict, cast

import pytest

from etl.model.errors import TransformationError
from etl.model.rejection import UntimedError
from etl.model.setting import SettingsError
from etl.user import EXAMPLE_RUN, Record, RejectedError, Run, preview

ORDER = {"pk": "customer-1", "changed": 1705312800000}
OTHER = 'source_cursor = "changed"\nsource_cursor_format = "epoch_ms"\n'
KEYS = 'destination_keys = "pk:S,changed:N"\n'


class Contract(TypedDict):
    """Any order."""

    pk: Any


def transformation(folder: Path, settings: str | None) -> ModuleType:
    """A transformation that passes records on, with settings next to it."""
    if settings is not None:
        (folder / "pipeline.toml").write_text(f"[settings]\n{settings}")

    def transform(record: Record, _run: Run) -> Record:
        return record

    made = SimpleNamespace(Contract=Contract, transform=transform, __file__=str(folder / "transformation.py"))
    return cast("ModuleType", made)


def test_it_checks_the_time_and_the_key_of_the_settings(tmp_path: Path) -> None:
    module = transformation(tmp_path, OTHER + KEYS)

    assert preview(module, ORDER) == [ORDER]
    with pytest.raises(UntimedError, match="changed"):
        preview(module, {"pk": "customer-1", "timestamp": "2024-01-15T10:00:00Z"})
    with pytest.raises(RejectedError, match="pk"):
        preview(module, ORDER | {"pk": 1})


def test_it_does_not_know_the_key_of_a_table_that_exists(tmp_path: Path) -> None:
    module = transformation(tmp_path, OTHER + 'destination_table = "archive"\n')

    assert preview(module, ORDER | {"pk": 1}) == [ORDER | {"pk": 1}]


def test_without_settings_it_checks_what_the_specification_says(tmp_path: Path) -> None:
    module = transformation(tmp_path, None)

    with pytest.raises(UntimedError, match="timestamp"):
        preview(module, ORDER)
    with pytest.raises(RejectedError, match="id"):
        preview(module, ORDER | {"timestamp": "2024-01-15T10:00:00Z"})


def test_a_run_that_you_give_has_its_own_tables(tmp_path: Path) -> None:
    module = transformation(tmp_path, OTHER + KEYS)

    with pytest.raises(UntimedError, match="timestamp"):
        preview(module, ORDER, EXAMPLE_RUN)


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    module = transformation(tmp_path, 'source_cursr = "changed"\n')

    with pytest.raises(SettingsError, match="source_cursor"):
        preview(module, ORDER)
    with pytest.raises(TransformationError):
        preview(cast("ModuleType", SimpleNamespace(__file__=str(tmp_path / "nowhere/transformation.py"))), ORDER)
