"""Names of the stack and of what it makes. The specification fixes them: see ``docs/specification.md``."""

STACK = "EtlPipelineStack"
STATE_MACHINE = "etl-pipeline"
SCHEDULE_RULE = "etl-daily-schedule"
DEAD_LETTERS = "etl-pipeline-dead-letters"
ALARMS = "etl-pipeline-"
"""The beginning of the names of all alarms."""
