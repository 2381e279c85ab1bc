#!/bin/bash
# The last step inside a guest's root file system: what is each guest's own goes, and services are as on a new host.
set -euo pipefail

# The host key comes from the operator's machine; the package's own would be the same on all guests.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
# A guest reaches no mirror, and shall not wait for one.
rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*
rm -rf /var/lib/apt/lists/*
: > /etc/resolv.conf

# A new host has these installed, but runs none of them yet.
systemctl disable docker.service docker.socket containerd.service docker-registry.service
systemctl enable ssh.service lab-identity.service lab-emulated.service systemd-networkd.service
systemctl set-default multi-user.target
# What would work behind a step's back, and what would wait for a network that is complete.
systemctl mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer systemd-networkd-wait-online.service

# systemd makes an id at first boot; empty, so that it takes no service's state for unset.
: > /etc/machine-id
mkdir -p /srv/rocestack-data
printf 'localhost\n' > /etc/hostname
update-initramfs -u -k all
