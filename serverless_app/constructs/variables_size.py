"""The size of a function's environment variables, which Lambda limits."""

import json
from collections.abc import Mapping
from typing import Any

from aws_cdk import Stack

from etl.model.setting import SettingsError
from etl.model.settings import SETTINGS

# Source: AWS Lambda developer guide, "Lambda quotas": "4 KB, for all environment variables associated with the
# function, in aggregate". Lambda measures one JSON object of all names and values: its error quotes the "String
# measured" (github.com/github-aws-runners/terraform-aws-github-runner/issues/3594). So quotes, colons and commas count,
# and a quote within a value counts twice.
MOST_BYTES = 4096
# As many characters as the longest that AWS has: only a deployment knows the real ones.
_UNKNOWN = {"AWS::AccountId": "0" * 12, "AWS::Region": "us-isof-south-1", "AWS::Partition": "aws-us-gov"}
_NAMED = 3


def check_size(stack: Stack, function: str, variables: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Check that Lambda takes a function's variables.

    Args:
        stack: the stack, which resolves tokens.
        function: the function's name.
        variables: its variables.
        names: the physical names of the resources that the variables refer to, by logical id.

    Raises:
        SettingsError: they are too large.
    """
    known = _UNKNOWN | {name: _longest(stack.resolve(text), _UNKNOWN) for name, text in names.items()}
    texts = {name: _longest(each, known) for name, each in stack.resolve(dict(variables)).items()}
    size = measured(texts)
    if size <= MOST_BYTES:
        return
    sizes = {
        name: measured({each.variable: texts[each.variable]})
        for name, each in SETTINGS.items()
        if each.variable in texts
    }
    largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:_NAMED]
    raise SettingsError(
        f"the environment variables of {function} have {size:,} bytes as JSON, and Lambda allows {MOST_BYTES:,}. "
        f"Shorten {' or '.join(f'{name} ({sizes[name]:,} bytes)' for name in largest)}."
    )


def measured(texts: Mapping[str, str]) -> int:
    """The bytes of variables, as Lambda measures them."""
    return len(json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode())


def _longest(resolved: Any, known: Mapping[str, str]) -> str:
    """The text of a resolved value, with the longest possible text in place of each reference."""
    if isinstance(resolved, str):
        return resolved
    ((function, argument),) = resolved.items()
    if function == "Ref":
        return known[argument]
    separator, parts = argument
    return str(separator).join(_longest(part, known) for part in parts)
