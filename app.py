"""The CDK app. `cdk synth`, `cdk diff`, `cdk deploy` and `cdk destroy` run this file."""

import sys

import serverless_app.jsii_cache  # noqa: F401  # isort: skip - it must come before aws_cdk
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from etl.model.setting import SettingsError
from serverless_app.bundling import BundlingError
from serverless_app.settings import other_pipelines
from serverless_app.stacks.etl_pipeline_stack import EtlPipelineStack

app = App()
Validations.of(app).add_plugins(AwsSolutionsChecks(app))
try:
    EtlPipelineStack(app, "EtlPipelineStack")
    for names in other_pipelines(app.node.get_all_context() or {}):
        EtlPipelineStack(app, names.stack_id, pipeline=names.pipeline)
except (BundlingError, SettingsError) as error:
    sys.exit(f"error: {error}")
app.synth()
