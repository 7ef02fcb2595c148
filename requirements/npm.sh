#!/bin/sh
# Runs npm in this folder, for this machine. Usage: sh requirements/npm.sh ARGUMENT...
set -eu
. "$(dirname "$0")/machine.sh"

keep_only npm_config 'registry|replace_registry_host|userconfig|globalconfig|cache|ca|cafile|cert|key|strict_ssl|proxy|https?_proxy|no_?proxy|local_address|fetch_.*|maxsockets|offline|prefer_.*|_auth.*'
unset NODE_ENV

# Node.js trusts its own list of authorities.
authorities="${NODE_EXTRA_CA_CERTS:-$(ca_store)}"
if [ -n "$authorities" ]; then export NODE_EXTRA_CA_CERTS="$authorities"; fi

cache="${npm_config_cache:-${NPM_CONFIG_CACHE:-$(own_cache "${HOME:-}/.npm/_cacache" npm)}}"
if [ -n "$cache" ]; then export npm_config_cache="$cache"; fi

# A user's own .npmrc may not make another installation of the lock.
exec npm "$@" --include=dev --include=optional --include=peer --global=false --dry-run=false --bin-links --package-lock \
    --install-strategy=hoisted --install-links=false --ignore-scripts --no-audit --no-fund --no-update-notifier \
    --no-progress
