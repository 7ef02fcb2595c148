#!/bin/sh
# Runs the environment's uv, for this machine. Usage: sh requirements/uv.sh ARGUMENT...
set -eu
. "$(dirname "$0")/machine.sh"
bin="$root/.venv/bin"

keep_only UV 'default_index|index|index_url|extra_index_url|index_strategy|index_.*_(username|password)|keyring_provider|find_links|no_index|insecure_host|system_certs|native_tls|http_.*|offline|cache_dir|no_cache|link_mode|concurrent_.*|config_file|no_config'
unset VIRTUAL_ENV PYTHONPATH PYTHONHOME

# uv does not read pip's configuration, where the address of a mirror usually stands.
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    index="${PIP_INDEX_URL:-$("$bin/python" -m pip config get global.index-url 2>/dev/null || true)}"
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
fi

# uv trusts its own list of authorities.
if [ -z "${UV_SYSTEM_CERTS:-}" ] && [ -n "$(ca_store)" ]; then export UV_SYSTEM_CERTS=1; fi

cache="${UV_CACHE_DIR:-$(own_cache "${XDG_CACHE_HOME:-${HOME:-}/.cache}/uv" uv)}"
case "$cache" in
"") ;;
"$root"/*) if [ -w "$bin" ]; then export UV_CACHE_DIR="$cache"; else export UV_NO_CACHE=1; fi ;;
*) export UV_CACHE_DIR="$cache" ;;
esac
exec "$bin/uv" "$@"
