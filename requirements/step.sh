#!/bin/sh
# Runs a step of the set-up, with its size and its time; its output is shown only when it fails.
# Usage: sh requirements/step.sh WORDS MEGABYTES COMMAND...
set -u
words="$1" about="$2"
shift 2

for folder in . .venv node_modules; do
    if [ -e "$folder" ] && [ ! -w "$folder" ]; then
        echo "error: $(id -un) may not write into $(cd "$folder" && pwd). Work in a copy of your own, or change the folder's owner." >&2
        exit 1
    fi
done

# Megabytes that the set-up takes; what has several names is counted once.
size() {
    du -skc .venv .venv-lint node_modules tests/browser/node_modules 2>/dev/null | awk 'END { print int($1 / 1024) }'
}

if [ -t 1 ]; then
    running='\r%s: %s of about %s MB, %s s ' ended='\r%s: %s MB in %s s                \n' line='\n'
    printf "$running" "$words" 0 "$about" 0
else
    ended='%s: %s MB in %s s\n' line=''
    echo "$words: about $about MB"
fi
log="$(mktemp)" || exit 1
before="$(size)" began="$(date +%s)"
if [ -t 1 ]; then
    while sleep 1; do
        printf "$running" "$words" "$(($(size) - before))" "$about" "$(($(date +%s) - began))"
    done &
    trap 'kill $!; rm -f "$log"' EXIT
else
    trap 'rm -f "$log"' EXIT
fi
# An interrupt ends the command first, whose last words are of no use to anybody.
trap 'printf "$line"; exit 130' INT TERM HUP
"$@" >"$log" 2>&1
code=$?
rm -rf .venv/.cache
if [ "$code" -ne 0 ]; then
    printf "$line"
    # A tool says what it found before it tells where it was.
    reason="$(sed '/^Traceback (most recent call last):/,$d' "$log")"
    echo "error: $words failed: ${reason:-$(tail -n 1 "$log")}" >&2
    exit "$code"
fi
grown="$(($(size) - before))"
if [ "$grown" -lt 0 ]; then grown=0; fi
printf "$ended" "$words" "$grown" "$(($(date +%s) - began))"
