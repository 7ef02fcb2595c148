"""The functions' environment variables: what Lambda would refuse is refused at synthesis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment

from etl.model.names import ETL
from etl.model.setting import SettingsError
from serverless_app.constructs.variables_size import MOST_BYTES
from serverless_app.settings import PipelineSettings
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack
from tests.infrastructure.synthesis import ACCOUNT, REGION, Synthesized

KNOWN = Environment(account=ACCOUNT, region=REGION)
# The difference to one of the longest names of a region.
LONGER = len("us-isof-south-1") - len(REGION)


def settings(external_id: int, **others: Any) -> PipelineSettings:
    """Settings whose external id has so many bytes; the filter's quotes count twice."""
    role = f"arn:aws:iam::444455556666:role/{'r' * 64}"
    condition = json.dumps({"expression": "kind = :kind", "values": {":kind": "ß" * 900 + '"'}}, ensure_ascii=False)
    given: dict[str, Any] = {"source_filter": condition, "source_cursor_format": "epoch_s"}
    given |= {"source_cursor": f"{'c' * 255}.{'d' * 255}"} | others
    return PipelineSettings(
        source_table="orders", source_role_arn=role, source_role_external_id="x" * external_id, **given
    )


def variables(tmp_path: Path, given: PipelineSettings, env: Environment | None = None) -> str:
    """Synthesize a stack, and read the variables of Extract in its template, as JSON."""
    app = App(outdir=str(tmp_path / "cdk.out"), context={"aws:cdk:bundling-stacks": []})
    stack = EtlPipelineStack(app, "EtlPipelineStack", settings=given, env=env)
    template = app.synth().get_stack_by_name(stack.stack_name).template
    function = Synthesized(template, {}, tmp_path, ()).named("AWS::Lambda::Function", "etl-extract")
    found = function["Environment"]["Variables"]
    assert ETL.staging_bucket(ACCOUNT, REGION) in found["STORES"]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize(("env", "longer"), [(KNOWN, 0), (None, LONGER)], ids=["known account", "any account"])
def test_variables_are_refused_from_one_byte_too_many(tmp_path: Path, env: Environment | None, longer: int) -> None:
    short = variables(tmp_path / "short", settings(2), env)
    room = MOST_BYTES - longer * short.count(REGION)
    longest = 2 + room - len(short.encode())

    assert len(variables(tmp_path / "longest", settings(longest), env).encode()) == room
    with pytest.raises(SettingsError, match=f"etl-extract.* {MOST_BYTES + 1:,} bytes.*{MOST_BYTES:,}"):
        variables(tmp_path / "longer", settings(longest + 1), env)


def test_the_refusal_names_the_largest_settings_first(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        variables(tmp_path, settings(1224, source_cursor=f"{'c' * 255}.{'d' * 255}.{'e' * 255}"))

    named = [str(refused.value).find(name) for name in ("source_filter (", "external_id (", "source_cursor (")]
    assert named == sorted(named)
    assert -1 not in named
    assert "concurrency" not in str(refused.value)
