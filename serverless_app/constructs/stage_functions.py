"""The functions of the stages, each with the grants that its stages need and no others."""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from etl.model.stages import FUNCTIONS
from serverless_app.constructs.stage_function import StageFunction
from serverless_app.constructs.storage import Storage
from serverless_app.settings import PipelineSettings

_DESCRIPTIONS = {
    "etl-extract": "Plans the run and copies the window's items from the source table to S3",
    "etl-transform": "Transforms the extracted items, merges the aggregates and checks whether to load",
    "etl-load": "Loads the transformed records and checks that every item is accounted for",
}


def stage_functions(
    stack: Stack, code: lambda_.Code, storage: Storage, settings: PipelineSettings
) -> dict[str, StageFunction]:
    """Make the functions, by their names.

    Args:
        stack: the stack.
        code: the asset that all functions share.
        storage: the bucket and the tables that they use.
        settings: the pipeline's settings.
    """
    functions = {
        name: StageFunction(
            stack,
            name.removeprefix("etl-").capitalize(),
            description=_DESCRIPTIONS[name],
            code=code,
            storage=storage,
            settings=settings,
        )
        for name in FUNCTIONS
    }
    _grant_extract(functions["etl-extract"], storage)
    _grant_transform(functions["etl-transform"], storage)
    _grant_load(functions["etl-load"], storage)
    return functions


def _grant_extract(stage: StageFunction, storage: Storage) -> None:
    storage.source.grant(stage.function, "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")
    storage.ledger.table.grant(stage.function, "dynamodb:GetItem", "dynamodb:PutItem")
    stage.may_read(storage.bucket, "extract/*/run.json", sealed=False)
    stage.may_read(storage.bucket, "extract/*/replayed.json", "quarantine/*")
    stage.may_list_seals(storage.bucket, "quarantine/*")
    stage.may_write(storage.bucket, "extract/*")


def _grant_transform(stage: StageFunction, storage: Storage) -> None:
    stage.may_read(storage.bucket, "extract/*", "transform/*/partials/*", "quarantine/*")
    stage.may_write(storage.bucket, "transform/*", "quarantine/*")


def _grant_load(stage: StageFunction, storage: Storage) -> None:
    storage.destination.grant(stage.function, "dynamodb:BatchWriteItem")
    storage.ledger.table.grant(stage.function, "dynamodb:UpdateItem")
    stage.may_read(storage.bucket, "transform/*", "quarantine/*")
    stage.may_write(storage.bucket, "quarantine/*")
