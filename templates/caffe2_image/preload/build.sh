#!/bin/sh
# Build the preload library for verbs from the source beside this script.
#
# usage: build.sh OUTPUT [FLAG...]
#
# It must name libibverbs as needed, though the linker sees no reason to: Python loads Gloo, and with it
# libibverbs, so late and so privately that the library would otherwise never find the functions that it wraps.
# It needs gcc, the C library's headers and those of libibverbs (a vendor's old ones want GNU's C), and runs where
# the image's own ones are.
set -eu

output=$1
shift
exec gcc -std=gnu11 -O2 -Wall -Wextra -fPIC -fvisibility=hidden -shared -s \
  -Wl,-z,defs -Wl,-z,now -Wl,--no-as-needed "$@" \
  -o "$output" "$(dirname "$0")/rocestack_verbs.c" -libverbs -ldl -pthread
