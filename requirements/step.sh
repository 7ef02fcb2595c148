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
    du -skc .venv node_modules tests/browser/node_modules 2>/dev/null | awk 'END { print int($1 / 1024) }'
}

if [ -t 1 ]; then started='\r%s: %s of about %s MB, %s s ' ended='\r%s: %s MB in %s s          \n' line='\n'; else
    started='%.0s' ended='%s: %s MB in %s s\n' line=''
    echo "$words: about $about MB"
fi
log="$(mktemp)" || exit 1
before="$(size)" began="$(date +%s)"

# In the background, so that a signal is seen at once; there the shell has it ignore an interrupt, so it is ended.
"$@" >"$log" 2>&1 &
command=$!
trap 'rm -f "$log"' EXIT
trap 'kill "$command" 2>/dev/null; wait "$command"; printf "$line"; exit 130' INT TERM HUP
while [ -t 1 ] && kill -0 "$command" 2>/dev/null; do
    printf "$started" "$words" "$(($(size) - before))" "$about" "$(($(date +%s) - began))"
    sleep 1
done
wait "$command"
code=$?
rm -rf .venv/.cache
if [ "$code" -ne 0 ]; then
    printf "$line"
    echo "error: $words failed: $(cat "$log")" >&2
    exit "$code"
fi
grown="$(($(size) - before))"
if [ "$grown" -lt 0 ]; then grown=0; fi
printf "$ended" "$words" "$grown" "$(($(date +%s) - began))"
