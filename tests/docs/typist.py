"""Types the commands of pages into one shell, in their order, as a reader would. It needs Python's library alone.

    python3 tests/docs/typist.py README.md docs/operations.md

Of README's table of inputs each is typed too. The table below says which commands are typed otherwise than they stand
there, or end otherwise than with 0, and why. It exits with 1 if a command doesn't do as its page says.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash") or "bash"
_BLOCK = re.compile(r"^```bash\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_INPUT = re.compile(r"^\| `(?P<text>\{[^`]*\})` \|", re.MULTILINE)
_START = "aws stepfunctions start-execution --state-machine-arn $STATE_MACHINE_ARN --input "
# Each state of the stack's executions, in the order of their start, the latest first.
_EXECUTIONS = (
    "aws stepfunctions list-executions --state-machine-arn $STATE_MACHINE_ARN --no-paginate "
    "--query 'executions[].status' --output text"
)
_STARTS_ONE = re.compile(r"aws stepfunctions start-execution|aws events put-events")
_SECONDS = 900.0
_PROMPT_SECONDS = 60.0
# How long an endless command is watched, and how long one waits for it to end before one presses Ctrl-C again.
WATCHED_SECONDS, AGAIN_SECONDS = 8.0, 5.0
# Before each look at the executions: most end by then, and a look takes the AWS CLI a second of processor time.
LOOK_SECONDS = 1.5


@dataclass(frozen=True)
class Rule:
    """How to type the commands that a pattern matches, and their expected outcome.

    Attributes:
        pattern: matches at a command's beginning.
        why: why it isn't typed as it stands there, or doesn't end with 0; empty if both are so.
        typed: takes the matched text's place, as in `re.sub`; None for a command that isn't typed.
        codes: the exit codes that are as documented.
        shows: must be found in the output.
        offers: finds commands in the output that are typed next, like a reader following the advice.
        long: the command runs all tests or checks, which are not typed by a test.
        last: it is typed after all pages.
        endless: it is interrupted after a while.
    """

    pattern: str
    why: str = ""
    typed: str | None = r"\g<0>"
    codes: tuple[int, ...] = (0,)
    shows: str = ""
    offers: str = ""
    long: bool = False
    last: bool = False
    endless: bool = False


# The verdict on a run, which may take two lines.
_ACCOUNTED = r"[^✔]*nothing\s+unaccounted\s+for"
RULES = (
    Rule("make (test|check)$", "a test doesn't run all tests", long=True),
    Rule(r"cdk destroy \w+", "a person is asked, and other commands need the stack", r"\g<0> --force", last=True),
    Rule('.*"RUN"', "an example's run: a replay is typed where quarantine lists it", None),
    Rule(r"\S*etl .*--(follow|watch)", "endless: Ctrl-C ends it", codes=(130,), endless=True),
    Rule(
        r"(\S*etl report .*--html) (\S+)",
        "a file may be there that is the reader's",
        r"\1 $(mktemp -d)/\2",
        shows=r"^Wrote \S+\.html",
    ),
    Rule(r"\S*etl preview", "3 says that items would be rejected", codes=(0, 3), shows="What happens"),
    Rule(r"\S*etl quarantine replay", "3 says that items were rejected again", codes=(3,), shows=_ACCOUNTED),
    Rule("make demo$", shows=rf"✔ [1-9][\d,]* loaded, {_ACCOUNTED}", offers=r"^  (\S*etl .*)$"),
    Rule(r"\S*etl doctor", shows=r"^  ok +gaps +none$"),
    Rule(r"\S*etl runs", shows="succeeded"),
    Rule(r"\S*etl gaps", shows="^No gaps"),
    Rule(r"\S*etl quarantine list", offers=r"^(?:The records|Run it again): +(\S*etl .*)$"),
    Rule(r"\S*etl (show latest|watch)", shows=_ACCOUNTED),
    Rule(r"\S*etl explain order-", shows="etl-destination-data"),
    Rule("aws dynamodb scan --table-name etl-destination-data", shows='"as_of"'),
    Rule(r"\S*python tests/etl_pipeline/test_etl_pipeline.py", shows=r"^All \d+ steps passed"),
)


@dataclass(frozen=True)
class Command:
    """A command of a page, with its line."""

    page: str
    line: int
    text: str

    @property
    def rule(self) -> Rule:
        """The rule that fits, or that of a command that is typed as it stands, and ends with 0."""
        return next((rule for rule in RULES if re.match(rule.pattern, self.text)), Rule(""))

    @property
    def typed(self) -> str | None:
        """The text to type; None for nothing."""
        return None if self.rule.typed is None else re.sub(self.rule.pattern, self.rule.typed, self.text, count=1)


@dataclass(frozen=True)
class Answer:
    """The outcome of a typed command: exit code (None if it had to be ended), output, time."""

    code: int | None
    output: str
    seconds: float


@dataclass(frozen=True)
class Typed:
    """A command with its outcome, and its difference from the page; empty if there is none."""

    command: Command
    answer: Answer
    fault: str


def commands(page: Path) -> list[Command]:
    """The commands of a page, in their order."""
    text, name = page.read_text(encoding="utf-8"), os.path.relpath(page, CHECKOUT)
    found = [(match.start("text"), match["text"]) for match in _BLOCK.finditer(text)]
    found += [(match.start(), f"{_START}'{match['text']}'\n") for match in _INPUT.finditer(text)]
    return [
        Command(name, text.count("\n", 0, start) + 1 + offset, command)
        for start, block in sorted(found)
        for offset, command in split(block)
    ]


def split(block: str) -> Iterator[tuple[int, str]]:
    """The commands of a block, each of which may have several lines, with the number of the first, from 0."""
    lines: list[str] = []
    for number, line in enumerate(block.splitlines()):
        if not lines and (not line.strip() or line.startswith("#")):
            continue
        lines.append(line)
        if not line.endswith("\\") and _is_complete("\n".join(lines)):
            yield number - len(lines) + 1, "\n".join(lines)
            lines = []
    if lines:
        raise ValueError(f"the last command of this block has no end:\n{block}")


def _is_complete(text: str) -> bool:
    """Whether a shell would run this, and not wait for a further line."""
    return subprocess.run([BASH, "-n", "-c", text], capture_output=True, check=False).returncode == 0


# A program that was started in the background ignores Ctrl-C, and so would all that is typed.
_HEARS_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


class Shell:
    """One bash in the checkout, into which commands are typed; its variables last, as in a terminal."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Open it."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HEARS_CTRL_C, BASH, "--noprofile", "--norc"],
            cwd=CHECKOUT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # After Ctrl-C the shell continues, as at a terminal.
        self._write("trap : INT")
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._output, selectors.EVENT_READ)

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def type(self, text: str, *, seconds: float = _SECONDS, endless: bool = False) -> Answer:
        """Type a command, and wait for its end. It can't ask anything: its input is empty.

        Args:
            text: the command.
            seconds: how long to wait; then the shell is closed.
            endless: press Ctrl-C after a while, until it ends.
        """
        began, end = time.monotonic(), f"end-of-command-{secrets.token_hex(8)}"
        self._write(f"{{ {text}\n}} </dev/null\nprintf '%s %s\\n' {end} $?")
        output, pressed = b"", began + WATCHED_SECONDS if endless else math.inf
        while (now := time.monotonic()) < began + seconds and not re.search(end.encode() + rb" \d+\n", output):
            if now >= pressed:
                os.killpg(self._process.pid, signal.SIGINT)
                pressed = now + AGAIN_SECONDS
            if self._selector.select(min(pressed, began + seconds) - now):
                read = os.read(self._output, 65536)
                if not read:
                    break
                output += read
        said, ended, code = output.decode(errors="replace").partition(end)
        if not ended:
            self.close()
        return Answer(int(code) if ended else None, said, time.monotonic() - began)

    def close(self) -> None:
        """End it, and every command in it that still runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout):
            assert file
            with contextlib.suppress(BrokenPipeError):
                file.close()
        self._selector.close()

    @property
    def _output(self) -> int:
        assert self._process.stdout
        return self._process.stdout.fileno()

    def _write(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()


class Typist:
    """Types commands into a shell, and compares their outcomes with the pages."""

    def __init__(self, shell: Shell) -> None:
        """Begin."""
        self._shell = shell

    def type_all(self, given: Iterable[Command]) -> Iterator[Typed]:
        """Type commands, and those that they offer to go on with."""
        for command in given:
            typed = self.type(command)
            yield typed
            if command.rule.offers:
                for text in re.findall(command.rule.offers, typed.answer.output, re.MULTILINE):
                    yield self.type(Command(command.page, command.line, text))

    def type(self, command: Command) -> Typed:
        """Type a command. An execution that it starts has to succeed, and is waited for."""
        starts = _STARTS_ONE.match(command.text)
        before = self._executions() if starts else []
        answer = self._shell.type(command.typed or ":", endless=command.rule.endless)
        fault = _fault(command.rule, answer)
        if starts and not fault:
            fault = self._fault_of_execution(len(before))
        return Typed(command, answer, fault)

    def _executions(self) -> list[str]:
        return self._shell.type(_EXECUTIONS).output.split()

    def _fault_of_execution(self, before: int) -> str:
        """Wait for one more execution than there were, and say how it ended unless it succeeded."""
        deadline = time.monotonic() + _PROMPT_SECONDS
        while time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            found = self._executions()
            if len(found) > before and "RUNNING" not in found:
                return "" if found[0] == "SUCCEEDED" else f"the execution that it started {found[0]}"
        return f"it started no execution that ended within {_PROMPT_SECONDS:.0f} s"


def _fault(rule: Rule, answer: Answer) -> str:
    if answer.code not in rule.codes:
        return f"exit code {answer.code}, and {' or '.join(map(str, rule.codes))} is documented"
    if rule.shows and not re.search(rule.shows, answer.output, re.MULTILINE):
        return f"its output has nothing like {rule.shows!r}"
    return ""


def to_type(pages: Iterable[Path], *, long: bool) -> list[Command]:
    """The commands of pages in the order in which they are typed; a command that stands there again is typed once.

    Args:
        pages: in their order.
        long: also type commands that run all tests or checks.
    """
    found = [command for page in pages for command in commands(page)]
    found = [command for command in found if command.rule.typed is not None and (long or not command.rule.long)]
    first = {command.text: command for command in reversed(found)}
    return sorted(
        (command for command in found if command is first[command.text]), key=lambda command: command.rule.last
    )


def readers_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment as a reader has it: no AWS settings, and nothing of this checkout on the search path."""
    own = {str(CHECKOUT / ".venv" / "bin"), str(CHECKOUT / "node_modules" / ".bin")}
    path = [folder for folder in environment.get("PATH", os.defpath).split(os.pathsep) if folder not in own]
    kept = {
        name: value for name, value in environment.items() if not re.match("AWS_|CDK_|MAKE|MFLAGS|VIRTUAL_ENV", name)
    }
    return kept | {"PATH": os.pathsep.join(path)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Type the pages that are named, and report on each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE")
    parser.add_argument("--skip-make-test", action="store_true", help="don't type make test and make check")
    parser.add_argument("--output", action="store_true", help="print the output of each command")
    options = parser.parse_args(arguments)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    faults = 0
    with Shell(readers_environment(os.environ)) as shell:
        given = to_type([page.resolve() for page in options.pages], long=not options.skip_make_test)
        for typed in Typist(shell).type_all(given):
            faults += bool(typed.fault)
            _print(typed, with_output=options.output or bool(typed.fault))
    print(f"{faults} of the commands do what their page doesn't say." if faults else "All is as documented.")
    return 1 if faults else 0


def _print(typed: Typed, *, with_output: bool) -> None:
    command, answer = typed.command, typed.answer
    shown = command.text.replace("\n", "\n      ")
    print(
        f"{'FAIL' if typed.fault else 'ok  '}  {command.page}:{command.line}  ({answer.seconds:.1f} s)\n      {shown}"
    )
    if with_output:
        print("".join(f"      | {line}\n" for line in answer.output.splitlines()), end="")
    if typed.fault:
        print(f"      {typed.fault}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
