"""Lines for a shell that call this command again, with the same pipeline, profile and region."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from etl.model.instants import format_instant
from etl_cli.terminal.chosen_pipeline import option_words
from etl_cli.terminal.paths import command
from etl_cli.terminal.printable import shell_words
from etl_cli.terminal.times import Span


@dataclass(frozen=True)
class EtlLines:
    """Makes lines for a shell; ``program`` has the words to type for `etl`, with the chosen pipeline."""

    profile: str | None = None
    region: str | None = None
    program: str = field(default_factory=lambda: " ".join([command(), *map(shell_words, option_words())]))

    def of(self, pipeline: str) -> EtlLines:
        """The same for another pipeline, by the beginning of its names."""
        return replace(self, program=f"{command()} {shell_words('--pipeline', pipeline)}")

    def line(self, *words: str) -> str:
        """A line such as ``etl show latest --profile night``."""
        return " ".join([self.program, shell_words(*words), *self.options])

    def run(self, window: Span) -> str:
        """The line that runs a window."""
        start, end = (format_instant(instant.replace(microsecond=0)) for instant in window)
        return self.line("run", "--start", start, "--end", end)

    @property
    def options(self) -> list[str]:
        """The options --profile and --region as given; the AWS CLI has the same."""
        given = {"--profile": self.profile, "--region": self.region}
        return [shell_words(name, value) for name, value in given.items() if value]
