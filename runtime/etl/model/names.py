"""Names of the stack and of what it makes. The specification fixes them: see ``docs/specification.md``."""

STACK = "EtlPipelineStack"
STATE_MACHINE = "etl-pipeline"
