"""The plan of the measurements: variants by stage, and their amounts."""

from dataclasses import dataclass, replace

from bench.job import TABLES
from bench.shapes import hostile_shapes, sized_shapes


@dataclass(frozen=True)
class Variant:
    """One way to do a stage.

    Attributes:
        name: its module in ``bench.variants``, or ``floor``.
        label: its name in tables and pictures.
        stages: the stages that it has.
        secure: whether it is measured over TLS.
        note: a remark for readers of the table.
    """

    name: str
    label: str
    stages: tuple[str, ...] = ("extract", "load")
    secure: bool = True
    note: str = ""


STAGES = ("extract", "transform", "load")
OURS = Variant("ours", "this project", STAGES)
TUTORIAL = Variant("tutorial", "tutorial (boto3 resource)", STAGES)
FLOOR = Variant("floor", "C floor", note="receives, scans once, sends; it neither signs nor retries")
VARIANTS = (
    TUTORIAL,
    Variant("boto3_client", "boto3 client"),
    Variant("wrangler", "awswrangler", STAGES),
    Variant("aio_boto", "aiobotocore"),
    Variant("aio_dynamo", "aiodynamo", note="numbers as floats"),
    Variant("py_dynox", "pydynox", secure=False, note="numbers as floats; over HTTP: it has no setting for a CA"),
    OURS,
    FLOOR,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One line of a table: a variant at one stage, on so many items, under such conditions.

    Attributes:
        variant: the variant.
        stage: extract, transform or load.
        items: items of the table, or records of the staged input.
        group: cases of one group are measured in turn, round by round, and compared with each other.
        rounds: how often it is measured.
        dense: whether every item is in the window.
        boxed: whether it runs in the emulated Lambda.
        latency_ms: time by which the server holds back every answer.
        trouble_every: of so many batches one comes back with unprocessed items; 0 for none.
        invocation_seconds: time that one invocation of ours has.
        shape: name of the items' shape; empty for those of ``bench.dataset``.
        tables: name of a description of the tables in ``bench.job``; empty for the specification's.
    """

    variant: Variant
    stage: str
    items: int
    group: str
    rounds: int
    dense: bool = True
    boxed: bool = False
    latency_ms: float = 0.0
    trouble_every: int = 0
    invocation_seconds: float = 300.0
    shape: str = ""
    tables: str = ""

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.shape or self.tables or self.variant.label


QUICK, FULL = "quick", "full"
SHAPED = "shape"
TABLED = "tables"
GROUPS = ("dense", "sparse", "trouble", "continued", "size", SHAPED, TABLED, "lambda")
# Enough of each that a bound by records alone would show.
SHAPED_ITEMS = {"text-400B": 100_000, "text-4KB": 20_000, "text-40KB": 2_000, "text-400KB": 450}
HOSTILE_ITEMS = 26
SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
# From here on the tutorial takes minutes, and a size is measured once: its CPU lasts long enough to be steady.
LARGE = 1_000_000
LATENCY_MS = 5.0


def make_plan(kind: str, *, stages: tuple[str, ...] = STAGES, variants: tuple[str, ...] = ()) -> list[Case]:
    """The cases of a quick or a full run, restricted to ``stages`` and ``variants`` where given."""
    cases = _full() if kind == FULL else _quick()
    return [case for case in cases if case.stage in stages and (not variants or case.variant.name in variants)]


def _full() -> list[Case]:
    return [
        *_compared(dict.fromkeys(STAGES, 100_000), rounds=5, peer_rounds=3),
        *_sparse(1_000_000, VARIANTS, rounds=3),
        *_troubled(50_000, rounds=3),
        *_continued(500_000, 0.5),
        *(case for size in SIZES for case in _sized(size, rounds=1 if size >= LARGE else 3)),
        *shaped(1),
        *tabled(100_000, rounds=5),
        *_boxed(50_000, TUTORIAL, rounds=2),
        *_boxed(50_000, OURS, rounds=3),
        *_boxed(300_000, OURS, rounds=1),
    ]


def _quick() -> list[Case]:
    return [
        *_compared({"extract": 20_000, "transform": 20_000, "load": 6_000}, rounds=2, peer_rounds=2),
        *_sparse(100_000, (TUTORIAL, OURS, FLOOR), rounds=1),
        *_troubled(2_500, rounds=1),
        *_continued(10_000, 0.1),
        *_sized(10_000, rounds=1),
        *shaped(10),
        *tabled(20_000, rounds=2),
        *_boxed(3_000, TUTORIAL, rounds=1),
        *_boxed(3_000, OURS, rounds=1),
    ]


def _compared(items: dict[str, int], *, rounds: int, peer_rounds: int) -> list[Case]:
    """Every variant in every stage that it has, every item in the window.

    Cases that the claims compare are measured most often. A peer runs for seconds, so its median is steady earlier.
    """
    often = (OURS, TUTORIAL, FLOOR)
    return [
        Case(variant=v, stage=stage, items=items[stage], group="dense", rounds=rounds if v in often else peer_rounds)
        for stage in STAGES
        for v in VARIANTS
        if stage in v.stages
    ]


def _sparse(items: int, variants: tuple[Variant, ...], *, rounds: int) -> list[Case]:
    """Extract where 1 item in 100 is in the window."""
    return [Case(variant=v, stage="extract", items=items, group="sparse", rounds=rounds, dense=False) for v in variants]


def _troubled(items: int, *, rounds: int) -> list[Case]:
    """Our load where a fifth of the batches comes back in part: all records must arrive all the same."""
    return [Case(variant=OURS, stage="load", items=items, group="trouble", rounds=rounds, trouble_every=5)]


def _continued(items: int, seconds: float) -> list[Case]:
    """Our stages where an invocation ends long before the table does."""
    return [
        Case(variant=OURS, stage=stage, items=items, group="continued", rounds=1, invocation_seconds=seconds)
        for stage in STAGES
    ]


def _sized(items: int, *, rounds: int) -> list[Case]:
    """Our stages over sizes; the tutorial as far as it is bearable, once."""
    cases = [Case(variant=OURS, stage=stage, items=items, group="size", rounds=rounds) for stage in STAGES]
    if items < LARGE:
        cases += [Case(variant=TUTORIAL, stage=stage, items=items, group="size", rounds=1) for stage in STAGES]
    return cases


def shaped(share: int) -> list[Case]:
    """Our stages over sizes and shapes of items, with one item in ``share`` of a full run's."""
    numbers = {shape.name: SHAPED_ITEMS[shape.name] for shape in sized_shapes()}
    numbers |= {shape.name: HOSTILE_ITEMS for shape in hostile_shapes()}
    return [
        Case(variant=OURS, stage=stage, items=-(-number // share), group=SHAPED, rounds=1, shape=name)
        for name, number in numbers.items()
        for stage in STAGES
    ]


def tabled(items: int, *, rounds: int) -> list[Case]:
    """Our stages over tables with another key and another time, next to the specification's."""
    return [
        Case(variant=OURS, stage=stage, items=items, group=TABLED, rounds=rounds, tables=name)
        for stage in STAGES
        for name in ("", *TABLES)
    ]


def _boxed(items: int, variant: Variant, *, rounds: int) -> list[Case]:
    """A variant's stages in the emulated Lambda, 5 ms from the server."""
    plain = [Case(variant=variant, stage=stage, items=items, group="lambda", rounds=rounds) for stage in STAGES]
    return [replace(case, boxed=True, latency_ms=LATENCY_MS) for case in plain]
