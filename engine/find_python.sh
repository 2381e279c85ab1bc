#!/bin/sh
# Prints the Python that set-up runs on: the first one of 3.11 or later. Plain sh, because an older
# Python would answer the set-up's own files with a SyntaxError.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
newest_seen=''

# The checkout's own virtual environment is passed over: set-up rebuilds it.
for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    path=$(command -v "$name" 2>/dev/null) || continue
    case $path in "$root"/.venv/*) path=$(PATH=$(printf '%s' "$PATH" | sed "s|$root/.venv/bin:||g"); command -v "$name") || continue ;; esac
    if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        printf '%s\n' "$path"
        exit 0
    fi
    if [ -z "$newest_seen" ]; then
        newest_seen="$path is $("$path" -V 2>&1 || echo 'not a working Python')"
    fi
done

echo "error: rocestack needs Python 3.11 or later${newest_seen:+; $newest_seen}." >&2
echo "  Debian 12, Ubuntu 24.04: apt-get install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.11 …" >&2
exit 1
