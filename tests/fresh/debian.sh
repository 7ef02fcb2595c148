#!/bin/sh
# Follows the README on a fresh Debian, as a newcomer does, and says how long each step took and how much disk it needs.
#
# Usage: sh tests/fresh/debian.sh RELEASE [COMMAND...]
#   RELEASE  a release of Debian: bookworm has Python 3.11, trixie 3.13, forky 3.14
#   COMMAND  is typed in the checkout, each into a shell of its own; without any: the README's commands, then all commands
#            of README.md and docs/operations.md in their order
#
# FRESH_USER=root     types as root; otherwise an ordinary user does, in a folder whose name has a space and an umlaut
# FRESH_FOLDER=...    where the machines are kept; /var/tmp/etl-fresh otherwise
#
# It needs root, debootstrap, and a host whose apt has sources of Debian's. What is committed is what is tried.
set -eu

[ $# -gt 0 ] || {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
case "$1" in *[!a-z]*) echo "error: a release of Debian has a name of small letters, got $1" >&2; exit 2 ;; esac
[ "$(id -u)" = 0 ] || { echo "error: only root can make a machine; run: sudo sh $0 $*" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "error: debootstrap isn't installed; run: apt-get install debootstrap" >&2; exit 1; }

# In a namespace of its own nothing stays mounted at the end, and nothing that was started runs on.
[ -n "${FRESH_INSIDE:-}" ] || FRESH_INSIDE=1 exec unshare --mount --pid --fork --kill-child sh "$0" "$@"

checkout="$(cd "$(dirname "$0")/../.." && pwd)"
release="$1"
shift
typist="python3 tests/docs/typist.py --skip-make-test README.md docs/operations.md"
[ $# -gt 0 ] || set -- "make demo" "make test" "make check" "$typist"
machine="${FRESH_FOLDER:-/var/tmp/etl-fresh}/$release"
user="${FRESH_USER:-newcomer}"

if [ ! -e "$machine/.complete" ]; then
    mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)"
    rm -rf "$machine"
    mkdir -p "$machine"
    echo "Making a machine with $release in $machine"
    debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates "$release" "$machine" "$mirror" \
        /usr/share/debootstrap/scripts/sid >"$machine.log" 2>&1 || { tail -n 5 "$machine.log" >&2; exit 1; }
    chroot "$machine" useradd --create-home newcomer
    touch "$machine/.complete"
fi

# As on the host: its names, its authorities, and where its package managers get packages from.
cp -L /etc/resolv.conf /etc/hosts "$machine/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/"
home="$(chroot "$machine" sh -c "eval echo ~$user")"
folder="$home/my project, für später"
[ "$user" != root ] || folder="$home/etl"
for file in /etc/pip.conf /etc/npmrc /etc/uv/uv.toml; do
    if [ -f "$file" ]; then install -D -m 644 "$file" "$machine$file"; fi
done
for file in .config/pip/pip.conf .npmrc .config/uv/uv.toml; do
    if [ -f "$HOME/$file" ]; then install -D -m 644 "$HOME/$file" "$machine$home/$file"; fi
done

# Nothing of an earlier attempt: neither the checkout nor what was downloaded for it.
rm -rf "$machine$folder" "$machine$home/.cache" "$machine$home/.npm" "$machine$home/.cdk" "$machine/tmp/"*
git clone --quiet --no-hardlinks "$checkout" "$machine$folder"
git -C "$machine$folder" remote remove origin
chroot "$machine" chown -R "$user" "$home"

mount -t proc proc "$machine/proc"
mount --rbind /dev "$machine/dev"

names='SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|PIP_(INDEX_URL|CERT)|UV_(DEFAULT_INDEX|INDEX_URL)|(npm|NPM)_(config|CONFIG)_.*|(http|https|no|HTTP|HTTPS|NO)_(proxy|PROXY)'
passed="$(env | grep -E "^($names)=" || true)"

# Types one command into a new shell of the user's, as if logged in: with no variable of the host's but the passed ones.
type_command() {
    (
        IFS='
'
        # shellcheck disable=SC2086 # a line is an argument
        exec chroot --userspec="$user" "$machine" env -i $passed HOME="$home" USER="$user" TERM=xterm PATH=/usr/local/bin:/usr/bin:/bin \
            sh -c 'cd "$1" && eval "$2"' sh "$folder" "$1"
    )
}

disk() {
    for part in .venv node_modules .build .etl-local; do
        if [ -d "$machine$folder/$part" ]; then du -sm "$machine$folder/$part" | awk -v name="$part" '{ printf "  %s %s MB", name, $1 }'; fi
    done
    for part in .cache .npm; do
        if [ -d "$machine$home/$part" ]; then du -sm "$machine$home/$part" | awk -v name="~/$part" '{ printf "  %s %s MB", name, $1 }'; fi
    done
}

results="$machine.results"
: >"$results"
failed=0
echo "$(type_command 'python3 --version') on Debian $(cat "$machine/etc/debian_version"), as $user, in $folder"
for command; do
    echo "\$ $command"
    begun="$(date +%s)"
    status=0
    type_command "$command" </dev/null || status=$?
    [ "$status" = 0 ] || failed=1
    echo "$command: exit $status after $(($(date +%s) - begun)) s;$(disk)" >>"$results"
done
echo
echo "$release, as $user:"
cat "$results"
exit "$failed"
