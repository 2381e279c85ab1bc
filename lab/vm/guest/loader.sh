#!/bin/bash
# Makes the disc that guests boot from: usage: loader.sh GRUB_CFG DISC
set -euo pipefail

config=$1 disc=$2
work=$(mktemp -d "$disc.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/disc/boot/grub"
cp "$config" "$work/disc/boot/grub/grub.cfg"
grub-mkrescue --directory=/usr/lib/grub/i386-pc --output="$work/loader.iso" --fonts= --themes= --locales= "$work/disc"
mv "$work/loader.iso" "$disc"
