"""Checks of the traces that each stage must leave of a sample's items.

The sample's own transformation allows exact expectations. With any other, the stages are checked against each other.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

from tests.etl_pipeline.sample import Sample, expected_groups, expected_loaded, expected_record
from tests.etl_pipeline.stack import DeployedStack
from tests.etl_pipeline.values import (
    Canonical,
    CheckError,
    Item,
    Key,
    canonical,
    compare,
    expect,
    key_of,
    of_boto3,
    of_dynamodb_json,
    of_plain_json,
    read,
    without_nulls,
)

_FILE = "transformation.py"
_SAMPLES = Path(__file__).resolve().parents[1] / "fixtures" / "pipelines" / "etl"


def is_samples_transformation(folder: Path) -> bool:
    """Whether a folder's transformation has the sample's code; docstrings and comments may differ."""
    try:
        return _code(folder / _FILE) == _code(_SAMPLES / _FILE)
    except (OSError, SyntaxError, ValueError):
        return False


def _code(path: Path) -> str:
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


class Checks:
    """Checks that hold for any transformation.

    Args:
        stack: the deployed stack.
        sample: the items that were put into its source table.
    """

    transformed = "holds as many records as the output says"
    quarantined = "holds the rejected items as they were"
    aggregated = "is there"
    destination = "holds each record exactly as it was staged"

    def __init__(self, stack: DeployedStack, sample: Sample) -> None:
        self._stack = stack
        self._sample = sample
        self._own = {item["id"]["S"]: item for item in sample.items}
        self._staged: dict[Key, list[dict[str, Canonical]]] = {}

    @property
    def keys(self) -> list[Key]:
        """The keys that the runs so far may have written to the destination table."""
        return list(self._staged)

    def check_balance(self, output: dict[str, Any]) -> None:
        """Check that the execution's output accounts for every item.

        The table's own items without a time, or with one in the future, come with every window and are counted apart.
        """
        counts = Counter(output["counts"])
        expect("the output's status", "success", output["status"])
        expect("the output's window", {"start": self._sample.start, "end": self._sample.end}, output["window"])
        expect("whether items without a time are counted", True, counts["untimed"] >= len(self._sample.untimed))
        expect("read = extracted", counts["read"], counts["extracted"])
        inputs = sum(counts[name] for name in ("transformed", "dropped", "ahead", "untimed", "rejected_transform"))
        expect("extracted = transformed + dropped + ahead + untimed + rejected", counts["extracted"], inputs)
        outputs = counts["loaded"] + counts["superseded"] + counts["rejected_load"]
        expect("records = loaded + superseded + rejected", counts["records"], outputs)

    def check_extract(self, output: dict[str, Any]) -> None:
        """Check that Extract staged every item of the window, as it is in the table."""
        prefix = f"extract/{output['run']}/"
        staged = self._stack.staged(prefix, without=["run.json"])
        expect(f"items in s3://{self._stack.bucket}/{prefix}", output["counts"]["extracted"], len(staged))
        got = canonical((item for item in staged if item["id"]["S"] in self._own), of_dynamodb_json)
        items = self._sample.loaded + [item for item, _ in self._sample.quarantined]
        compare(f"s3://{self._stack.bucket}/{prefix}", canonical(items, of_boto3), got)
        expect("the key in the output", True, output["keys"]["extract"].startswith(prefix))

    def check_transform(self, output: dict[str, Any]) -> None:
        """Check that Transform staged as many records as the output says."""
        records = self._records(output)
        expect(f"records in {self._place('transform', output)}", output["counts"].get("records", 0), len(records))

    def check_quarantine(self, output: dict[str, Any]) -> None:
        """Check that quarantine holds the rejected items as they were, and all of the sample's without a time."""
        lines, counts = self._quarantine(output), Counter(output["counts"])
        refused = sum(counts[name] for name in ("rejected_transform", "rejected_load", "untimed"))
        expect(f"records in {self._place('quarantine', output)}", refused, len(lines))
        self._compare_items(output, [line for line in lines if line["stage"] == "transform"])
        missing = {item["id"]["S"] for item in self._sample.untimed} - {_id(line) for line in lines}
        expect("the sample's items without a time that aren't in quarantine", set(), missing)

    def check_aggregates(self, output: dict[str, Any]) -> None:
        """Check that the run's aggregates are staged."""
        expect("whether there is a list of aggregates", True, isinstance(self._aggregates(output), list))

    def check_destination(self, output: dict[str, Any]) -> None:
        """Check that the destination table has each staged record exactly, but for those that Load rejected."""
        self._records(output)
        where, found = f"table {self._stack.destination}", self._stack.loaded(self.keys)
        for key in found:
            candidates = [without_nulls(record) for record in self._staged[key]]
            if found[key] not in candidates:
                compare(where, {key: candidates[-1]}, {key: found[key]}, "record")
        refused = output["counts"].get("rejected_load", 0)
        missing = [key for key in self._staged if key not in found]
        if len(missing) > refused:
            raise CheckError(f"{where}: {len(missing) - refused} records are missing, such as {missing[0][0]}")

    def _records(self, output: dict[str, Any]) -> list[dict[str, Canonical]]:
        """Read the records that Transform staged, and note their keys."""
        staged = self._stack.staged(f"transform/{output['run']}/", without=["aggregates.json", "partials/"])
        records = [read(record, of_plain_json) for record in staged]
        self._staged = {}
        for record in records:
            self._staged.setdefault(key_of(record), []).append(record)
        return records

    def _quarantine(self, output: dict[str, Any]) -> list[dict[str, Any]]:
        return self._stack.staged(f"quarantine/{output['run']}/")

    def _compare_items(
        self, output: dict[str, Any], lines: list[dict[str, Any]], items: list[Item] | None = None
    ) -> None:
        """Compare the sample's items in quarantine; with those of the same ids, if none are named."""
        lines = [line for line in lines if _id(line) in self._own]
        expected = [self._own[_id(line)] for line in lines] if items is None else items
        got = canonical((line["item"] for line in lines), of_dynamodb_json)
        compare(self._place("quarantine", output), canonical(expected, of_boto3), got)

    def _aggregates(self, output: dict[str, Any]) -> Any:
        return self._stack.document(output["keys"]["aggregates"])["aggregates"]

    def _place(self, stage: str, output: dict[str, Any]) -> str:
        return f"s3://{self._stack.bucket}/{stage}/{output['run']}/"


class ExactChecks(Checks):
    """Checks of the sample's own transformation: each record, each reason and each aggregate."""

    transformed = "holds each record, with its computed fields"
    quarantined = "holds exactly the invalid items, with their reasons"
    aggregated = "is right to the last digit"
    destination = "holds each valid record exactly, and no other"

    @property
    def keys(self) -> list[Key]:
        """The keys that the sample's items would have in the destination table, whether they are valid or not."""
        return [(item["id"]["S"], item["timestamp"]["S"]) for item in self._sample.items]

    def check_balance(self, output: dict[str, Any]) -> None:
        """Check each count, too."""
        super().check_balance(output)
        counts = Counter(output["counts"])
        expect("items transformed", len(self._sample.loaded), counts["transformed"])
        expect("items dropped", 0, counts["dropped"])
        expect("items rejected", len(self._sample.rejected), counts["rejected_transform"])
        expect("records loaded", len(self._sample.loaded), counts["loaded"])
        expect("records superseded or rejected by Load", 0, counts["superseded"] + counts["rejected_load"])

    def check_transform(self, output: dict[str, Any]) -> None:
        """Check that Transform staged every valid item, with its computed fields."""
        prefix = f"transform/{output['run']}/"
        got = canonical(self._stack.staged(prefix, without=["aggregates.json", "partials/"]), of_plain_json)
        records = [expected_record(item, self._sample.end) for item in self._sample.loaded]
        compare(self._place("transform", output), canonical(records, of_boto3), got, "record")

    def check_quarantine(self, output: dict[str, Any]) -> None:
        """Check that Transform set aside each invalid item, and no valid one, for its reason."""
        lines, counts = self._quarantine(output), Counter(output["counts"])
        expect(
            f"records in {self._place('quarantine', output)}",
            counts["rejected_transform"] + counts["untimed"],
            len(lines),
        )
        others = [line for line in lines if _id(line) not in self._own]
        untimed = counts["untimed"] - len(self._sample.untimed)
        expect("items of the table's own without a time", untimed, sum(line["field"] == "timestamp" for line in others))
        expect("items of the table's own in quarantine", untimed, len(others))
        self._compare_items(output, lines, [item for item, _ in self._sample.quarantined])
        reasons = {_id(line): (line["stage"], line["field"]) for line in lines}
        for item, field in self._sample.quarantined:
            name = item["id"]["S"]
            expect(f"stage and attribute for which {name} was rejected", ("transform", field), reasons[name])

    def check_aggregates(self, output: dict[str, Any]) -> None:
        """Check the aggregates to the last digit."""
        groups = {each["name"]: each["groups"] for each in self._aggregates(output)}
        where = f"the groups of value_by_date in {output['keys']['aggregates']}"
        expect(where, expected_groups(self._sample.loaded), groups.get("value_by_date"))

    def check_destination(self, output: dict[str, Any]) -> None:  # noqa: ARG002 - the other checks need it
        """Check that the destination table has each valid item exactly, and no other."""
        expected = [expected_loaded(expected_record(item, self._sample.end)) for item in self._sample.loaded]
        compare(f"table {self._stack.destination}", canonical(expected, of_boto3), self._stack.loaded(self.keys))


def _id(line: dict[str, Any]) -> str:
    return str(line["item"]["id"]["S"])
