"""`etl settings`: every setting with its default, its deployed value and its configured value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.model.names import SPECIFIED, Names
from etl.model.setting import Setting, SettingsError
from etl.model.settings import DAILY, SETTINGS
from etl.model.settings_sources import cdk_context, configured
from etl_cli.aws.connection import AsJson, Profile, Region, connected
from etl_cli.aws.deployed_settings import deployed_settings
from etl_cli.terminal.console import Terminal, Text, out, print_json
from etl_cli.terminal.context_option import Context, parse_context
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.grid import readable
from etl_cli.terminal.paths import ROOT
from etl_cli.terminal.typer_app import verb

_NOT_READABLE = "?"


@dataclass(frozen=True)
class SettingView:
    """A setting, its value in this checkout (of cdk.json, of pipeline.toml, or its default), and its deployed one."""

    setting: Setting
    configured: Any
    readable: bool
    deployed: Any

    @property
    def differs(self) -> bool:
        """Whether a deployment of this checkout would change it."""
        return self.readable and self.deployed != self.target

    @property
    def target(self) -> Any:
        """Its value after a deployment of this checkout."""
        return DAILY if self.setting.name == "schedule" and self.configured is None else self.configured


@verb(examples=("etl settings", "etl settings --json", "etl settings --profile night"))
def settings(context: Context = None, as_json: AsJson = False, profile: Profile = None, region: Region = None) -> None:
    """List every setting with its deployed value and its default.

    Below the list are the settings that a deployment of this checkout would change: those of --context, of cdk.json
    and of the pipeline's pipeline.toml. A value is shown as ? if no resource has it, or if you may not read it.
    """
    with connected(profile, region) as deployment:
        deployed = deployed_settings(deployment)
    views = view(deployed, deployment.names, ROOT, parse_context(context))
    if as_json:
        print_json({"settings": [document(each) for each in views]})
    else:
        print_settings(out, views, deployment.deploy_line())


def view(
    deployed: Mapping[str, Any], names: Names, checkout: Path, context: Mapping[str, str] | None = None
) -> list[SettingView]:
    """Put the deployed values of a pipeline that can be read together with those of a checkout.

    Raises:
        UserError: a configured value isn't allowed.
    """
    try:
        stage = {f"{SPECIFIED}:stage": names.stage} if names.stage else {}
        given = configured({**cdk_context(checkout), **(context or {}), **stage}, checkout, names.pipeline)
    except SettingsError as error:
        raise UserError(str(error)) from None
    return [
        SettingView(each, given.get(name, each.default), name in deployed, deployed.get(name))
        for name, each in SETTINGS.items()
    ]


def document(shown: SettingView) -> dict[str, Any]:
    """A setting for programs; ``deployed`` is null if it can't be read."""
    return {
        "name": shown.setting.name,
        "default": shown.setting.default,
        "configured": shown.configured,
        "deployed": shown.deployed,
        "readable": shown.readable,
        "differs": shown.differs,
        "allowed": shown.setting.allowed,
        "sentence": shown.setting.sentence,
    }


def print_settings(console: Terminal, views: Sequence[SettingView], deploy: str) -> None:
    """Print the settings, two lines each, and those that a deployment would change, with the line that deploys."""
    widest = max(len(each.setting.name) for each in views)
    for each in views:
        value = _text(each.setting, each.deployed) if each.readable else _NOT_READABLE
        line = Text(f"{each.setting.name:{widest}}  ").append(value, "bold")
        if each.deployed != each.setting.default:
            line.append(f"  default: {_text(each.setting, each.setting.default)}", "dim")
        console.print(line, soft_wrap=True)
        for part in readable(console, each.setting.sentence, 4):
            console.print(Text(f"    {part}", "dim"), soft_wrap=True)
    changed = [each for each in views if each.differs]
    if changed:
        console.print()
        console.print("A deployment of this checkout changes:")
    for each in changed:
        before, after = (_text(each.setting, value) for value in (each.deployed, each.target))
        console.print(f"    {each.setting.name}: {before} -> {after}", soft_wrap=True)
    if changed:
        console.print(f"Deploy: {deploy}", soft_wrap=True)


def _text(setting: Setting, value: object) -> str:
    return "none" if value is None else setting.text(value)
