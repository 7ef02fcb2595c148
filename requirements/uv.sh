#!/bin/sh
# Runs the environment's uv with what the user's machine says about its package index and certificates, and without
# what would change a locked installation. Usage: sh requirements/uv.sh ARGUMENT...
set -eu
bin="$(dirname "$0")/../.venv/bin"

# uv does not read pip's configuration, where the address of a mirror usually stands.
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    index="${PIP_INDEX_URL:-$("$bin/python" -m pip config get global.index-url 2>/dev/null || true)}"
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
fi

# uv trusts its own list of authorities; a machine with a store may have an authority of its own in it.
if [ -z "${UV_SYSTEM_CERTS:-}" ]; then
    for store in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
        if [ -s "$store" ]; then export UV_SYSTEM_CERTS=1; break; fi
    done
fi

unset UV_CONSTRAINT UV_OVERRIDE UV_EXCLUDE UV_EXCLUDE_NEWER UV_FIND_LINKS UV_PRERELEASE UV_RESOLUTION UV_TARGET UV_SYSTEM_PYTHON VIRTUAL_ENV
exec "$bin/uv" "$@"
