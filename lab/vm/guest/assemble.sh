#!/bin/bash
# Makes a disk of a root file system's archive, without a mount: usage: assemble.sh ARCHIVE DISK SIZE
#
# Whoever runs it must be root, or root of a user namespace with all ids (unshare --map-root-user --map-auto).
set -euo pipefail

archive=$1 disk=$2 size=$3
MKE2FS_CONFIG=$(dirname "$(realpath "$0")")/mke2fs.conf
export MKE2FS_CONFIG
work=$(mktemp -d "$disk.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
# A guest's kernel makes its device nodes, which nobody but root could unpack.
tar --extract --numeric-owner --preserve-permissions --xattrs --xattrs-include='*' --exclude='./dev/*' \
    --file "$archive" --directory "$work/root"
truncate --size "$size" "$work/disk"
mkfs.ext4 -q -F -L rocestack-root -E lazy_itable_init=1,lazy_journal_init=1 -d "$work/root" "$work/disk"
mv "$work/disk" "$disk"
