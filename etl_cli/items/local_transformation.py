"""Your transformation on this machine: the same contract, guards and numbers as in a run. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from etl.gate import aggregate_record
from etl.model.errors import TransformationError
from etl.model.rejection import RejectedError
from etl.model.schema import SPECIFIED, Schema
from etl.model.setting import SettingsError
from etl.model.settings import Settings
from etl.model.settings_sources import PIPELINES, TRANSFORMATION, app_settings, cdk_context, pipeline_folder
from etl.staging.batches import cut_batches
from etl.tables.change_time import LeftOut
from etl.user.accumulator import accumulators
from etl.user.isolation import IsolatedTransformer
from etl.user.transformation import Transformation
from etl.user.transformer import RECORD_SECONDS, Fate, Included, InProcessTransformer
from etl.values.plain_json import encode
from etl_cli.items.item_key import ItemKey, key_of_item
from etl_cli.items.rejections import Rejection
from etl_cli.items.transformation_file import broken, load
from etl_cli.terminal.console import printing_to_stderr
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT

if TYPE_CHECKING:
    from etl.model.run import Run
    from etl_cli.runs.item_changes import Item


def transformation_path(context: Mapping[str, str], pipeline: str) -> Path:
    """Your file, in the folder that ``-c etl:pipelines=FOLDER``, cdk.json or the default names, as in a deployment.

    Args:
        context: values of the CDK's context.
        pipeline: the pipeline's name.

    Raises:
        UserError: the folder isn't in the checkout, or has no transformation.
    """
    try:
        pipelines = app_settings({**cdk_context(ROOT), **context}).get("pipelines", PIPELINES)
        return pipeline_folder(pipelines, pipeline, ROOT) / TRANSFORMATION
    except SettingsError as error:
        raise UserError(str(error)) from None


@dataclass(frozen=True)
class Outcome:
    """The outcome of your transformation for one item, a line of DynamoDB JSON. Records are lines of plain JSON.

    An item that a run leaves out is ``ahead`` (its time is yet to come: a later run takes it), ``outside`` of the
    window, or ``excluded`` since it has no time.
    """

    line: bytes
    records: list[bytes] = field(default_factory=list)
    rejection: Rejection | None = None
    left_out: LeftOut | None = None
    included: bool = False  # though it has no time
    schema: Schema = SPECIFIED

    @property
    def fate(self) -> str:
        """The outcome in a word: ``rejected``, ``untimed``, ``dropped``, ``transformed``, or why it is left out."""
        if self.rejection:
            return "untimed" if self.rejection.untimed else "rejected"
        return self.left_out or ("transformed" if self.records else "dropped")

    @property
    def key(self) -> ItemKey:
        """The item's key."""
        return key_of_item(self.line, self.schema)

    @property
    def size(self) -> int:
        """Bytes of the item and of its records."""
        return len(self.line) + sum(map(len, self.records))

    @property
    def item(self) -> Item:
        """The item, made again at each call: as objects it takes a hundred times the line's bytes."""
        found: Item = json.loads(self.line)
        return found


class LocalTransformation:
    """A transformation file, as it is now, for tables with these keys and times.

    Args:
        path: the file.
        schema: the keys of the tables, and the time of an item.
        whole: whether items of any window are transformed, as in a replay.

    Raises:
        UserError: the file can't be used. The message says where it is wrong, and how.
    """

    def __init__(self, path: Path, schema: Schema = SPECIFIED, *, whole: bool = False) -> None:
        self._path, self._schema = path, schema
        with printing_to_stderr():
            module = load(path, RECORD_SECONDS)
            try:
                self._user = Transformation(module, schema, whole=whole)
            except TransformationError as error:
                raise broken(path, str(error)) from error
        self._accumulators = accumulators(self._user.aggregates)

    def outcomes(self, lines: Iterable[bytes], run: Run) -> Iterator[Outcome]:
        """Transform items, lines of DynamoDB JSON, in a run, and add the records to the aggregates.

        Raises:
            UserError: a line isn't DynamoDB JSON, or an aggregate has too many groups.
        """
        with IsolatedTransformer(
            InProcessTransformer(self._user, run, RECORD_SECONDS), Settings.memory_mb
        ) as transformer:
            for batch in cut_batches(lines):
                while batch:
                    with printing_to_stderr():
                        outcomes = self._transformed(transformer, batch)
                    del batch[: len(outcomes)]  # a record that had to be stopped ends the answer early
                    yield from outcomes

    def _transformed(self, transformer: IsolatedTransformer, lines: list[bytes]) -> list[Outcome]:
        try:
            fates = transformer(lines)
        except (msgspec.DecodeError, ValueError) as error:
            raise UserError(f"A line isn't an item of DynamoDB JSON: {error}.") from error
        try:
            return [self._outcome(line, fate) for line, fate in zip(lines, fates, strict=False)]
        except TransformationError as error:
            raise broken(self._path, str(error)) from error

    def _outcome(self, line: bytes, fate: Fate) -> Outcome:
        if isinstance(fate, RejectedError):
            rejection = Rejection.of(fate, key_of_item(line, self._schema))
            return Outcome(line, rejection=rejection, schema=self._schema)
        if isinstance(fate, str):
            return Outcome(line, left_out=fate, schema=self._schema)
        for position, accumulator in enumerate(self._accumulators):
            accumulator.add(prepared[position] for _, prepared in fate)
        records = [result for result, _ in fate]
        return Outcome(line, records, included=isinstance(fate, Included), schema=self._schema)

    def aggregates(self) -> list[dict[str, Any]]:
        """The aggregates so far: ``name``, ``by``, ``groups``. A number with a fraction is text with every digit."""
        document = [
            {"name": each.aggregate.name, "by": list(each.aggregate.by), "groups": each.results()}
            for each in self._accumulators
        ]
        found: list[dict[str, Any]] = json.loads(encode(document), parse_float=str)
        return found

    def aggregate_records(self, run: Run) -> list[bytes]:
        """The records that Load makes of aggregates, a line of plain JSON each."""
        return [
            encode(aggregate_record(run, each.aggregate, row))
            for each in self._accumulators
            if each.aggregate.load
            for row in each.results()
        ]
