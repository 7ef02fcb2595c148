"""What is measured: the variants by stage, and how much of what."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """One way to do a stage.

    Attributes:
        name: its module in ``bench.variants``, or ``floor``.
        label: its name in tables and pictures.
        stages: the stages that it has.
        secure: whether it is measured over TLS.
        note: what a reader of the table must know.
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
        dense: whether every item is in the window.
        boxed: whether it runs in the emulated Lambda.
        latency_ms: time by which the server holds back every answer.
        trouble_every: of so many batches one comes back with unprocessed items; 0 for none.
        invocation_seconds: time that one invocation of ours has.
    """

    variant: Variant
    stage: str
    items: int
    group: str
    dense: bool = True
    boxed: bool = False
    latency_ms: float = 0.0
    trouble_every: int = 0
    invocation_seconds: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All cases of a run, and how often each is measured."""

    cases: list[Case]
    rounds: dict[str, int]


QUICK, FULL = "quick", "full"
SIZES = (10_000, 100_000, 300_000, 1_000_000, 3_000_000)
BEARABLE = 300_000
FULL_ROUNDS = {"dense": 5, "sparse": 3, "trouble": 3, "continued": 1, "size": 1, "lambda": 5}
QUICK_ROUNDS = {"dense": 2, "sparse": 1, "trouble": 1, "continued": 1, "lambda": 1}


def make_plan(kind: str, *, stages: tuple[str, ...] = STAGES, variants: tuple[str, ...] = ()) -> Plan:
    """The plan of a quick or a full run, restricted to ``stages`` and ``variants`` where given."""
    full = kind == FULL
    cases = _compared(
        dict.fromkeys(STAGES, 100_000) if full else {"extract": 20_000, "transform": 20_000, "load": 6_000}
    )
    cases += _troubled(50_000 if full else 2_500)
    cases += _continued(1_000_000 if full else 10_000, 0.5 if full else 0.1)
    cases += _sparse(1_000_000 if full else 100_000, everyone=full)
    cases += [case for size in (SIZES if full else ()) for case in _sized(size)]
    cases += _boxed(20_000 if full else 3_000)
    kept = [case for case in cases if case.stage in stages and (not variants or case.variant.name in variants)]
    rounds = FULL_ROUNDS if full else QUICK_ROUNDS
    return Plan(cases=kept, rounds=rounds)


def _compared(items: dict[str, int]) -> list[Case]:
    """Every variant in every stage that it has, every item in the window."""
    return [
        Case(variant=v, stage=stage, items=items[stage], group="dense")
        for stage in STAGES
        for v in VARIANTS
        if stage in v.stages
    ]


def _sparse(items: int, *, everyone: bool) -> list[Case]:
    """Extract where 1 item in 100 is in the window."""
    chosen = VARIANTS if everyone else (TUTORIAL, OURS, FLOOR)
    return [Case(variant=v, stage="extract", items=items, group="sparse", dense=False) for v in chosen]


def _troubled(items: int) -> list[Case]:
    """Our load where a fifth of the batches comes back in part: all records must arrive all the same."""
    return [Case(variant=OURS, stage="load", items=items, group="trouble", trouble_every=5)]


def _continued(items: int, seconds: float) -> list[Case]:
    """Our stages where an invocation ends long before the table does."""
    return [
        Case(variant=OURS, stage=stage, items=items, group="continued", invocation_seconds=seconds) for stage in STAGES
    ]


def _sized(items: int) -> list[Case]:
    """Our stages over sizes; the tutorial as far as it is bearable."""
    chosen = (OURS, TUTORIAL) if items <= BEARABLE else (OURS,)
    return [Case(variant=v, stage=stage, items=items, group="size") for stage in STAGES for v in chosen]


def _boxed(items: int) -> list[Case]:
    """The tutorial and our stages in the emulated Lambda, 5 ms from the server."""
    plain = [Case(variant=v, stage=stage, items=items, group="lambda") for stage in STAGES for v in (TUTORIAL, OURS)]
    return [replace(case, boxed=True, latency_ms=5.0) for case in plain]
