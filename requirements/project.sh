#!/bin/sh
# Installs the checkout itself into .venv: the packages by their folders, and the command. Usage: sh requirements/project.sh
set -eu
cd "$(dirname "$0")/.."
sh requirements/uv.sh pip install --quiet --python .venv/bin/python --no-build-isolation --no-deps --no-index \
    --reinstall-package etl-pipeline -e .

# Python reads these folders in the locale's encoding: relative ones are ASCII in every checkout.
for file in .venv/lib/python3*/site-packages/_etl_pipeline.pth; do
    printf '%s\n' ../../../.. ../../../../runtime >"$file"
done
