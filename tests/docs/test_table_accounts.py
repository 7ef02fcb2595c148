"""docs/tables.md, on tables that exist: its settings are accepted, and its policies allow what the functions need."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from serverless_app.settings import PipelineSettings
from tests.infrastructure.test_existing_tables import READ
from tests.support import ROOT

PAGE = (ROOT / "docs" / "tables.md").read_text().partition("## Tables that you already have")[2].partition("\n## ")[0]
README = (ROOT / "README.md").read_text()
SETTINGS, OF_README = (
    [tomllib.loads(each)["settings"] for each in re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)]
    for page in (PAGE, README)
)
POLICIES = [json.loads(each) for each in re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S)]


def actions(policy: Any) -> set[str]:
    found: set[str] = set()
    for statement in policy.get("Statement", [policy]):
        assert statement["Effect"] == "Allow"
        action = statement["Action"]
        found |= {action} if isinstance(action, str) else set(action)
    return found


@pytest.mark.parametrize("settings", [*OF_README, *SETTINGS])
def test_the_settings_are_accepted(settings: dict[str, str]) -> None:
    assert PipelineSettings(**settings).source.table == "orders"  # type: ignore[arg-type]


def test_the_policies_allow_what_the_functions_need() -> None:
    key, trust, source, destination = POLICIES

    assert actions(key) == {"kms:Decrypt"}
    assert actions(trust) == {"sts:AssumeRole"}
    assert actions(source) == {*READ, "kms:Decrypt"}
    assert actions(destination) == {"dynamodb:DescribeTable", "dynamodb:BatchWriteItem"}
    assert trust["Statement"][0]["Condition"]["StringEquals"] == {
        "sts:ExternalId": SETTINGS[-1]["source_role_external_id"]
    }
