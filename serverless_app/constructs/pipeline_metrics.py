"""The pipeline's own metrics, by the names under which the functions and the watch tell them."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

NAMESPACE = "EtlPipeline"
# How long ago the watermark is, in seconds: up to there, everything is loaded.
WATERMARK_AGE = "WatermarkAge"
# Invocations that came near the end of their time or memory, or were stopped there.
NEAR_LIMIT = "NearLimit"


def pipeline_metric(
    name: str, statistic: str, period: Duration, *, stage: str | None = None, label: str | None = None
) -> cloudwatch.Metric:
    """Give one of the pipeline's own metrics.

    Args:
        name: its name: one of ``UNITS`` in runtime/etl/invocation/metrics.py, or of the constants here.
        statistic: such as ``Sum``.
        period: over which it is taken.
        stage: which stage's, for a metric that has that dimension.
        label: what a graph calls it; the name if nothing is said.
    """
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        statistic=statistic,
        period=period,
        dimensions_map={"Stage": stage} if stage else None,
        label=label,
    )
