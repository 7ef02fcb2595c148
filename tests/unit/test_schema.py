"""The keys and the time attribute are named in one module: another key is a change of one line."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import etl
from etl.model.schema import DESTINATION_KEY, SOURCE_KEY, TIME

RUNTIME = Path(etl.__file__).parent
ROOT = Path(__file__).parents[2]
# Names that are spelt alike, with the number of times that a module has them: of the ledger's own key, of an event of
# EventBridge, of an execution, of a subsegment and of the run in a document.
ALIKE = {
    "model/schema.py": 4,
    "model/run.py": 2,
    "model/windows.py": 1,
    "model/ledger_fields.py": 1,
    "plan.py": 1,
    "handler.py": 2,
    "invocation/code_version.py": 1,
    "invocation/trace.py": 1,
}
ANOTHER_KEY = """
import json
from types import SimpleNamespace

from etl.model.schema import DESTINATION_KEY
from etl.user import Aggregate
from tests.unit.builders import MinimalContract, item
from tests.fakes.pipeline import FakePipeline

assert DESTINATION_KEY == ("pk", "sk")


def transform(record, run):
    return {"pk": record["id"], "sk": record["timestamp"], "value": record["value"], "name": record["name"]}


module = SimpleNamespace(
    Contract=MinimalContract,
    transform=transform,
    AGGREGATES=[Aggregate(name="all", of={"value": ["sum"]}, load=True)],
)
pipeline = FakePipeline([item(number) for number in range(30)] + [item(30, name={"S": "x" * 6000})])
pipeline.dynamodb.most_item_bytes = 5000
pipeline.dynamodb.script = [2, 2, 2]
with pipeline.deployed(module=module):
    output = pipeline.run()
print(json.dumps([output["counts"], pipeline.dynamodb.tables["destination"]]))
"""


def test_another_destination_key_is_a_change_of_one_line(tmp_path: Path) -> None:
    shutil.copytree(RUNTIME, tmp_path / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    schema = tmp_path / "etl" / "model" / "schema.py"
    text, changes = re.subn(r"(?m)^DESTINATION_KEY\b.*$", 'DESTINATION_KEY = ("pk", "sk")', schema.read_text())
    schema.write_text(text)
    path = [tmp_path, ROOT, ROOT / "tests" / "fixtures" / "pipelines" / "etl"]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[str(each) for each in path]}\n{ANOTHER_KEY}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr

    counts, loaded = json.loads(done.stdout.splitlines()[-1])
    assert changes == 1
    assert (counts["loaded"], counts["rejected_load"], counts["load_throttled"] > 0) == (31, 1, True)
    assert {item["pk"]["S"] for item in loaded} == {"aggregate#all#[]", *(f"item-{number:04d}" for number in range(30))}
    assert not any(item.keys() & {"id", "timestamp"} for item in loaded)


def spelt(path: Path) -> int:
    """How often a module has one of the names as a text, or as an attribute of a class."""
    names = {SOURCE_KEY, TIME, *DESTINATION_KEY}
    nodes = list(ast.walk(ast.parse(path.read_text())))
    fields = [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return sum(isinstance(node, ast.Constant) and node.value in names for node in nodes) + sum(
        isinstance(field, ast.Name) and field.id in names for field in fields
    )


def test_no_other_module_names_the_keys_or_the_time() -> None:
    found = {str(path.relative_to(RUNTIME)): spelt(path) for path in RUNTIME.rglob("*.py")}

    assert {module: count for module, count in found.items() if count > ALIKE.get(module, 0)} == {}
