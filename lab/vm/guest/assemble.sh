#!/bin/bash
# Makes a disk of a root file system's archive, without a mount: usage: assemble.sh ARCHIVE DISK SIZE
#
# Whoever runs it must be root, or root of a user namespace with all ids (unshare --map-root-user --map-auto).
set -euo pipefail

archive=$1 disk=$2 size=$3
work=$(mktemp -d "$disk.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
tar --extract --numeric-owner --preserve-permissions --xattrs --xattrs-include='*' --file "$archive" --directory "$work/root"
# The device nodes of a booted guest are made by its kernel.
find "$work/root/dev" -mindepth 1 -delete
truncate --size "$size" "$work/disk"
mkfs.ext4 -q -F -L rocestack-root -E lazy_itable_init=1,lazy_journal_init=1 -d "$work/root" "$work/disk"
mv "$work/disk" "$disk"
