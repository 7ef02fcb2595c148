"""The pipeline's own metrics, which the functions and the watch report."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from etl.invocation.metrics import UNITS
from etl.model.names import Names

# The age of the watermark in seconds. Everything before the watermark is loaded. The watch measures it.
WATERMARK_AGE = "WatermarkAge"
# Invocations that came near the limit of their time or memory, or that Lambda stopped there.
NEAR_LIMIT = "NearLimit"
_KNOWN = {*UNITS, WATERMARK_AGE}


def pipeline_metric(
    names: Names, name: str, statistic: str, period: Duration, *, stage: str | None = None, label: str | None = None
) -> cloudwatch.Metric:
    """Make one of the pipeline's own metrics.

    Args:
        names: the pipeline's.
        name: its name: one of ``UNITS`` in runtime/etl/invocation/metrics.py, or a constant of this module.
        statistic: such as ``Sum``.
        period: the period of the statistic.
        stage: the stage, for a metric with that dimension.
        label: its name in a graph; the metric's own name if left out.

    Raises:
        KeyError: nothing reports a metric of this name.
    """
    if name not in _KNOWN:
        raise KeyError(name)
    return cloudwatch.Metric(
        namespace=names.namespace,
        metric_name=name,
        statistic=statistic,
        period=period,
        dimensions_map={"Stage": stage} if stage else None,
        label=label,
    )
