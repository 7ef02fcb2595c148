# Sourced by uv.sh, pip.sh and npm.sh. What the machine says about indexes, proxies and certificates holds for an
# installation; whatever else would change a locked one does not.
root="$(dirname "$0")/.."

# Unsets the variables PREFIX_*, in capitals or not, but for those with an ending that is listed: a|b|c
keep_only() {
    for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | grep -i "^$1_" | grep -ivxE "$1_($2)"); do
        unset "$name"
    done
}

# Prints the machine's store of certificate authorities, among which a company's own may be.
ca_store() {
    for store in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [ -s "$store" ]; then
            printf '%s' "$store"
            break
        fi
    done
}

# Prints a folder to cache in if the machine has no cache of a tool: a machine that has none is left without one.
own_cache() {
    [ -w "$1" ] || printf '%s' "$root/.venv/.cache/$2"
}
