#!/bin/sh
# Install the RDMA user space: from the vendor's archive in the folder given, else from the distribution.
#
# usage: install_ofed.sh FOLDER
#
# User space only: the kernel's part is the host's. Guide: "Mellanox OFED installation steps" in its Dockerfile.
set -eu

folder=$1
apt-get update -q
if [ -e "$folder/ofed.tgz" ]; then
  mkdir "$folder/unpacked"
  tar -xzf "$folder/ofed.tgz" -C "$folder/unpacked" --strip-components=1
  "$folder/unpacked/mlnxofedinstall" --user-space-only --without-fw-update --all --force -q
else
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    libibverbs-dev librdmacm-dev libmlx5-1 ibverbs-utils perftest
fi
apt-get clean
rm -rf /var/lib/apt/lists/* "$folder"
