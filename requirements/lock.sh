#!/bin/sh
# Compiles the locks: requirements/*.txt from *.in, and each package-lock.json from its package.json.
# Usage: sh requirements/lock.sh [--upgrade | --check]
#   (nothing)   versions already locked stay where the .in files still allow them
#   --upgrade   the newest versions that the .in files allow
#   --check     changes nothing; fails when a lock does not follow from its source. Hashes are not compared:
#               a file that a publisher adds to an old release would fail the check of an unchanged checkout
set -eu
cd "$(dirname "$0")/.."
mode="${1:-}"
root="$(pwd)"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/requirements"
cp requirements/*.in "$work/requirements/"
if [ "$mode" != --upgrade ]; then cp requirements/*.txt "$work/requirements/"; fi
mkdir -p "$work/tests/browser"
for folder in . tests/browser; do
    cp "$folder/package.json" "$folder/package-lock.json" .npmrc "$work/$folder/"
done

# A group may be constrained by the locks of those before it: the order matters.
groups="uv node runtime bench lint demo dev aws sdk-oldest sdk-newest"
for group in $groups; do
    (cd "$work" && sh "$root/requirements/uv.sh" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command "make lock" --output-file "requirements/$group.txt" "requirements/$group.in" >/dev/null)
done
for folder in . tests/browser; do
    (cd "$work/$folder" && sh "$root/requirements/npm.sh" install --package-lock-only --loglevel=error >/dev/null)
done

status=0
for file in $(printf 'requirements/%s.txt ' $groups) package-lock.json tests/browser/package-lock.json; do
    if [ "$mode" = --check ]; then
        grep -v -- '--hash=' "$file" >"$work/locked" || true
        grep -v -- '--hash=' "$work/$file" >"$work/wanted" || true
        if cmp -s "$work/locked" "$work/wanted"; then continue; fi
        echo "error: $file does not follow from its source; run: make lock" >&2
        diff "$work/locked" "$work/wanted" | head -n 20 >&2 || true
        status=1
    elif ! cmp -s "$work/$file" "$file"; then
        cp "$work/$file" "$file"
        echo "wrote $file"
    fi
done
exit "$status"
