"""Lines for a shell that call this very command again, and look where it looked."""

from __future__ import annotations

from dataclasses import dataclass, field

from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.times import Span
from etl_cli.terminal.words import format_instant


@dataclass(frozen=True)
class EtlLines:
    """Makes lines for a shell.

    Attributes:
        profile: the option --profile, as it was given; None if it wasn't.
        region: the same of --region.
        program: what to type for `etl`.
    """

    profile: str | None = None
    region: str | None = None
    program: str = field(default_factory=command)

    def line(self, *words: str) -> str:
        """A line such as ``etl show latest --profile night``."""
        return " ".join([self.program, shell_words(*words), *self.options])

    def run(self, window: Span) -> str:
        """The line that runs a window."""
        return self.line("run", "--start", format_instant(window.start), "--end", format_instant(window.end))

    @property
    def options(self) -> list[str]:
        """The options that say where to look; the AWS CLI has the same."""
        given = {"--profile": self.profile, "--region": self.region}
        return [shell_words(name, value) for name, value in given.items() if value]
