"""Which findings of cfn-lint and checkov fail the check of the templates."""

from __future__ import annotations

import pytest

from tests.templates.exceptions import CHECKOV, LINT, Excepted
from tests.templates.linters import Violation, unexpected

TABLE = Violation("CKV_1", "AWS::DynamoDB::Table", "Table", "Ensure something")
EXCEPTED = Excepted("CKV_1", "AWS::DynamoDB::Table", "Because.")


def test_a_finding_without_an_exception_fails() -> None:
    assert unexpected([TABLE], []) == ["CKV_1 Table (AWS::DynamoDB::Table): Ensure something"]
    assert unexpected([TABLE], [EXCEPTED]) == []


@pytest.mark.parametrize("found", [[], [TABLE._replace(kind="AWS::S3::Bucket")], [TABLE._replace(check="CKV_2")]])
def test_an_exception_that_nothing_needs_fails(found: list[Violation]) -> None:
    assert unexpected(found, [EXCEPTED])[-1] == (
        "CKV_1 AWS::DynamoDB::Table: no template needs this exception any more"
    )


def test_every_exception_is_there_once_and_has_a_reason() -> None:
    exceptions = [*LINT, *CHECKOV]

    assert len({each[:2] for each in exceptions}) == len(exceptions)
    assert all(len(each.reason) > 60 and each.reason.endswith(".") for each in exceptions)
