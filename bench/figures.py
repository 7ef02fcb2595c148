"""Figures made of the measurements: medians, ratios, and how they stand against the targets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from bench.cold_start import ColdStart
from bench.job import TABLES
from bench.lambda_box import CPU
from bench.plan import OURS, SHAPED, STAGES, TABLED
from bench.runner import Result

INVOCATION_SECONDS = 300
# Shapes whose items have 4 KB or less.
SMALL = ("text-400B", "text-4KB")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One case's figures, medians over its rounds.

    Attributes:
        cpu_us: CPU per item of the table or input, in microseconds.
        wall_us: time by the clock per item, in microseconds.
        peak_mb: largest resident memory, in MB.
        ratio: the tutorial's CPU per item over this one's; 0 where the tutorial was not measured.
        wall_ratio: the same by the clock.
        millions: millions of items that one invocation of 5 minutes has the CPU for, at 512 MB.
    """

    result: Result
    cpu_us: float = 0.0
    wall_us: float = 0.0
    peak_mb: float = 0.0
    ratio: float = 0.0
    wall_ratio: float = 0.0
    millions: float = 0.0


def lines(results: list[Result], group: str, stage: str) -> list[Line]:
    """The figures of one group at one stage, compared with the tutorial of the same number of items."""
    chosen = [each for each in results if each.case.group == group and each.case.stage == stage]
    tutorial = {each.case.items: each for each in chosen if each.case.variant.name == "tutorial" and _good(each)}
    return [_line(each, tutorial.get(each.case.items)) for each in chosen]


def _good(result: Result) -> bool:
    return bool(result.runs) and not result.problem


def _line(result: Result, tutorial: Result | None) -> Line:
    if not _good(result):
        return Line(result=result)
    cpu = _per_item(result, lambda run: run.cpu_seconds)
    wall = _per_item(result, lambda run: run.wall_seconds)
    return Line(
        result=result,
        cpu_us=cpu,
        wall_us=wall,
        peak_mb=max(run.peak_mb for run in result.runs),
        ratio=_per_item(tutorial, lambda run: run.cpu_seconds) / cpu if tutorial else 0.0,
        wall_ratio=_per_item(tutorial, lambda run: run.wall_seconds) / wall if tutorial else 0.0,
        millions=INVOCATION_SECONDS * CPU / cpu,
    )


def _per_item(result: Result, value: Callable[..., float]) -> float:
    """A median per item, in microseconds."""
    return median(map(value, result.runs)) / result.case.items * 1e6


@dataclass(frozen=True)
class Target:
    """A claim about the pipeline: a measurement and its bounds."""

    claim: str
    value: float
    least: float = 0.0  # none
    most: float = float("inf")

    @property
    def reached(self) -> bool:
        """Whether the claim holds."""
        return (not self.least or self.least <= self.value) and self.value <= self.most

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f">= {self.least:g}" if self.least else f"<= {self.most:g}"


def targets(results: list[Result], cold: ColdStart) -> list[Target]:
    """Every claim that these results can decide."""
    dense = {
        stage: {line.result.case.variant.name: line for line in lines(results, "dense", stage)} for stage in STAGES
    }
    found = [*_ratio_targets(dense), *_peer_targets(dense), *_floor_targets(dense), *_box_targets(results, dense)]
    found += [*_flatness_targets(results), *shape_targets(results), *_table_targets(results), *_state_targets(dense)]
    if not cold.problem:
        found.append(Target("cold start: imports over boto3's, ms", max(cold.import_ms.values()), most=40))
        found.append(Target("zip: packages, MB", cold.packages_bytes / 1e6, most=2))
    return found


def _table_targets(results: list[Result]) -> Iterable[Target]:
    """Other tables than the specified ones cost at most a tenth more."""
    for stage in STAGES:
        cpu_us = {line.result.case.tables: line.cpu_us for line in lines(results, TABLED, stage)}
        for tables in TABLES:
            if cpu_us.get("") and cpu_us.get(tables):
                yield Target(f"{stage}: CPU with a {tables}, × specified", cpu_us[tables] / cpu_us[""], most=1.1)


Dense = dict[str, dict[str, Line]]
_NONE = Line(result=None)  # type: ignore[arg-type]


def _ratio_targets(dense: Dense) -> Iterable[Target]:
    ours = {stage: dense[stage].get("ours", _NONE) for stage in STAGES}
    for stage, least in (("extract", 35), ("transform", 1), ("load", 12)):
        if ours[stage].ratio:
            yield Target(f"{stage}: tutorial's CPU over ours", ours[stage].ratio, least=least)
    if all(line.ratio for line in ours.values()):
        total = sum(line.ratio * line.cpu_us for line in ours.values()) / sum(line.cpu_us for line in ours.values())
        yield Target("three stages together: tutorial's CPU over ours", total, least=12)


def _peer_targets(dense: Dense) -> Iterable[Target]:
    for stage in STAGES:
        mine = dense[stage].get("ours", _NONE).cpu_us
        for name, line in dense[stage].items():
            if mine and line.cpu_us and name not in ("ours", "tutorial", "floor"):
                label = line.result.case.variant.label
                yield Target(f"{stage}: CPU of {label} over ours", line.cpu_us / mine, least=1)


def _floor_targets(dense: Dense) -> Iterable[Target]:
    for stage, most in (("extract", 3), ("load", 5)):
        mine, floor = (dense[stage].get(name, _NONE).cpu_us for name in ("ours", "floor"))
        if mine and floor:
            yield Target(f"{stage}: our CPU over the C floor's", mine / floor, most=most)


def _box_targets(results: list[Result], dense: Dense) -> Iterable[Target]:
    """Claims about the emulated Lambda; of the items in 5 minutes, from its longest run, or from outside it."""
    for stage in STAGES:
        boxed = [each for each in lines(results, "lambda", stage) if each.result.case.variant == OURS and each.cpu_us]
        for line in boxed:
            if stage == "load" and line.wall_ratio:
                yield Target("load in the emulated Lambda: tutorial's time over ours", line.wall_ratio, least=12)
        longest = max(boxed, key=lambda line: line.result.case.items, default=dense[stage].get("ours", _NONE))
        if longest.cpu_us:
            yield Target(f"{stage}: M items in 5 minutes at 0.29 CPU", longest.millions, least=10)


def _state_targets(dense: Dense) -> Iterable[Target]:
    ours = [dense[stage]["ours"] for stage in STAGES if "ours" in dense[stage]]
    sizes = [line.result.runs[0].facts["state_bytes"] for line in ours if line.cpu_us]
    if len(sizes) == len(STAGES):
        for segments, most in ((40, 16), (1000, 200)):
            size = max(sizes) * segments / 1024
            yield Target(f"state of the execution at {segments} segments, KiB", size, most=most)


def shape_targets(results: list[Result]) -> Iterable[Target]:
    """Claims about memory over all sizes and shapes of items."""
    for stage in STAGES:
        found = [line for line in lines(results, SHAPED, stage) if line.cpu_us]
        small = [line.peak_mb for line in found if line.result.case.shape in SMALL]
        if found and small:
            yield Target(f"{stage}: peak memory for items of at most 4 KB, MB", max(small), most=120)
            most = max(line.peak_mb for line in found)
            yield Target(f"{stage}: peak memory for items of any shape, MB", most, most=400)


def _flatness_targets(results: list[Result]) -> Iterable[Target]:
    for stage in STAGES:
        sized = {
            line.result.case.items: line
            for group in ("dense", "size")
            for line in lines(results, group, stage)
            if line.result.case.variant.name == "ours" and line.cpu_us
        }
        if not sized:
            continue
        yield Target(f"{stage}: peak memory, MB", max(line.peak_mb for line in sized.values()), most=120)
        small, large = sized.get(100_000), sized.get(3_000_000)
        if small and large:
            yield Target(f"{stage}: memory from 100 k to 3 M, MB more", large.peak_mb - small.peak_mb, most=25)
            yield Target(f"{stage}: CPU per item at 3 M over that at 100 k", large.cpu_us / small.cpu_us, most=1.15)
