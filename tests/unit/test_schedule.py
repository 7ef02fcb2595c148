"""Schedule expressions that EventBridge takes, and others that it refuses."""

import pytest

from etl.model.schedule import is_schedule


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(5 minutes)",
        "rate(1 hour)",
        "rate(12 hours)",
        "rate(1 day)",
        "rate(10 days)",
        "cron(0 2 * * ? *)",
        "cron(0/15 * * * ? *)",
        "cron(15 12 ? * MON-FRI *)",
        "cron(0 8 1 * ? *)",
        "cron(0 18 ? * 2,4,6 *)",
        "cron(0 9 ? * 2#1 *)",
        "cron(0 9 ? * 6L *)",
        "cron(0 9 L * ? *)",
        "cron(0 9 LW * ? *)",
        "cron(0 9 15W * ? *)",
        "cron(0 9 1 JAN,JUL ? 2026-2030)",
        "cron(59 23 31 12 ? 2199)",
    ],
)
def test_an_expression_that_eventbridge_takes(expression: str) -> None:
    assert is_schedule(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "02:00",
        "0 2 * * *",
        "cron(0 2 * * *)",
        "cron(0 2 * * ? * *)",
        "cron(0  2 * * ? *)",
        "cron(0 2 * * * *)",
        "cron(0 2 ? * ? *)",
        "cron(60 2 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 2 32 * ? *)",
        "cron(0 2 0 * ? *)",
        "cron(0 2 * 13 ? *)",
        "cron(0 2 * FOO ? *)",
        "cron(0 2 ? * 8 *)",
        "cron(0 2 ? * 2#6 *)",
        "cron(0 2 32W * ? *)",
        "cron(0 2 * * ? 1969)",
        "cron(0/0 2 * * ? *)",
        "cron(MON 2 * * ? *)",
        "cron(? 2 * * ? *)",
        "cron(L 2 * * ? *)",
        "cron(0, 2 * * ? *)",
        "cron(0 2 * * ? *) ",
        "rate(0 hours)",
        "rate(1 hours)",
        "rate(2 hour)",
        "rate(1 week)",
        "rate(1.5 hours)",
        "rate(1 hour)rate(1 hour)",
        "rate(٣ hours)",
        "cron(٣ 2 * * ? *)",
    ],
)
def test_an_expression_that_eventbridge_refuses(expression: str) -> None:
    assert not is_schedule(expression)
