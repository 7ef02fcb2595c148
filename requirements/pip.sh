#!/bin/sh
# Runs the environment's pip, for this machine. Usage: sh requirements/pip.sh ARGUMENT...
set -eu
. "$(dirname "$0")/machine.sh"
python="$root/.venv/bin/python"

keep_only PIP 'index_url|extra_index_url|find_links|no_index|trusted_host|cert|client_cert|proxy|timeout|default_timeout|retries|config_file|keyring_provider|use_feature'
unset PYTHONPATH PYTHONHOME

# Older versions of pip trust their own list of authorities.
cert="${PIP_CERT:-${REQUESTS_CA_BUNDLE:-${CURL_CA_BUNDLE:-$("$python" -m pip config get global.cert 2>/dev/null || ca_store)}}}"
if [ -n "$cert" ]; then export PIP_CERT="$cert"; fi

# A configuration of the user's cannot be left out without losing the address of a mirror: what it may not say is said.
PIP_CONSTRAINT=/dev/null PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    exec "$python" -m pip "$@"
