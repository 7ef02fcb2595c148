"""Names of the stack and its resources, which the specification fixes: see ``docs/specification.md``."""

STACK = "EtlPipelineStack"
STATE_MACHINE = "etl-pipeline"
