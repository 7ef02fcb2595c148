"""The functions of the stages, each with the grants that its stages need and no others."""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from etl.model.stages import BY_ACTION, EXTRACT, FUNCTIONS, LOAD, MAPS, STAGED, TRANSFORM, read_by
from etl.staging.keys import QUARANTINED, manifest_key, partials_pattern, pattern_of, replayed_key
from serverless_app.constructs.stage_function import StageFunction
from serverless_app.constructs.storage import Storage
from serverless_app.settings import PipelineSettings


def stage_functions(
    stack: Stack, code: lambda_.Code, storage: Storage, settings: PipelineSettings
) -> dict[str, StageFunction]:
    """Make the functions, by their names in the table of stages.

    Args:
        stack: the stack.
        code: the asset that all functions share.
        storage: the bucket and the tables that they use.
        settings: the pipeline's settings.
    """
    functions = {name: StageFunction(stack, name, code=code, storage=storage, settings=settings) for name in FUNCTIONS}
    _grant_extract(functions[BY_ACTION[EXTRACT].function], storage)
    _grant_transform(functions[BY_ACTION[TRANSFORM].function], storage)
    _grant_load(functions[BY_ACTION[LOAD].function], storage)
    return functions


def _grant_extract(stage: StageFunction, storage: Storage) -> None:
    storage.source.grant(stage.function, "dynamodb:DescribeTable", "dynamodb:Scan", "dynamodb:BatchGetItem")
    if storage.destination.existing:
        storage.destination.grant_description(stage.function)
    storage.ledger.table.grant(stage.function, "dynamodb:GetItem", "dynamodb:PutItem")
    stage.may_read(storage.bucket, manifest_key("*"), sealed=False)
    stage.may_read(storage.bucket, replayed_key("*"), QUARANTINED)
    stage.may_list_seals(storage.bucket, QUARANTINED)
    stage.may_write(storage.bucket, *_staged(stage))


def _grant_transform(stage: StageFunction, storage: Storage) -> None:
    stage.may_read(storage.bucket, *_taken(stage), partials_pattern(TRANSFORM), QUARANTINED)
    stage.may_write(storage.bucket, *_staged(stage), QUARANTINED)


def _grant_load(stage: StageFunction, storage: Storage) -> None:
    storage.destination.grant(stage.function, "dynamodb:BatchWriteItem")
    storage.ledger.table.grant(stage.function, "dynamodb:UpdateItem")
    # The aggregates, which Finish reads, are below Transform's prefix.
    stage.may_read(storage.bucket, *dict.fromkeys((*_taken(stage), pattern_of(TRANSFORM))), QUARANTINED)
    stage.may_write(storage.bucket, *_staged(stage), QUARANTINED)


def _taken(stage: StageFunction) -> list[str]:
    """The patterns of the records that a function's workers read."""
    return [pattern_of(read_by(each.action)) for each in MAPS if each.function == stage.name]


def _staged(stage: StageFunction) -> list[str]:
    """The patterns of the records that a function's workers write."""
    return [pattern_of(each) for each in STAGED if BY_ACTION[each].function == stage.name]
