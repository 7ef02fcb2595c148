"""The graphs of the dashboard."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

# CloudWatch's days begin at midnight in UTC, so each has one nightly run.
NIGHT = Duration.days(1)
FIVE_MINUTES = Duration.minutes(5)


def graph(
    title: str,
    left: Sequence[cloudwatch.IMetric],
    right: Sequence[cloudwatch.IMetric] = (),
    *,
    limits: Sequence[cloudwatch.HorizontalAnnotation] = (),
) -> cloudwatch.GraphWidget:
    """Make a graph.

    Args:
        title: its title, with the unit.
        left: metrics on the left axis.
        right: metrics on the right axis.
        limits: lines across the graph; on the right axis if it has metrics.
    """
    from_zero = cloudwatch.YAxisProps(min=0)
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),
        right=list(right),
        left_annotations=[] if right else list(limits),
        right_annotations=list(limits) if right else [],
        left_y_axis=from_zero,
        right_y_axis=from_zero,
        width=6,  # of 24 columns
    )


def limit(value: float, label: str, color: str = cloudwatch.Color.RED) -> cloudwatch.HorizontalAnnotation:
    """Make a line across a graph."""
    return cloudwatch.HorizontalAnnotation(value=value, label=label, color=color)
