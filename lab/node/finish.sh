#!/bin/bash
# The last step of the image: what a container must not run is masked, and what is its own is not shared.
set -euo pipefail

# The tools of the card: the vendors' packages are made out of them.
install -d /usr/lib/rocestack-lab/tools
mv /usr/local/sbin/mlnx_qos.py /usr/local/sbin/cma_roce* /usr/lib/rocestack-lab/tools/
chmod 0755 /usr/lib/rocestack-lab/tools/mlnx_qos.py

# The host key of each node is mounted; the image's own would be the same on all nodes.
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub

# Kernel settings of the operator's machine, devices and modules are none of a node's business.
rm -f /usr/lib/sysctl.d/50-pid-max.conf /usr/lib/sysctl.d/99-protect-links.conf
systemctl mask \
    systemd-modules-load.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-udev-trigger.service systemd-udev-settle.service systemd-hwdb-update.service \
    systemd-journald-audit.socket systemd-remount-fs.service \
    kmod-static-nodes.service sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    dev-hugepages.mount proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
    getty.target console-getty.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer

# A new host has these installed, but runs none of them yet.
systemctl disable docker.service docker.socket containerd.service docker-registry.service
systemctl enable ssh.service lab-cables.service lab-sysfs.service lab-sysfs-settle.path
systemctl set-default multi-user.target

# A machine id of the image would be the same on all nodes; systemd makes one at first boot.
: > /etc/machine-id

# The node's own view of its hardware and kernel: each tool answers in front of the real one.
touch /usr/lib/rocestack-lab/python/lab/__init__.py
python3 -m compileall -q /usr/lib/rocestack-lab/python
for tool in lspci lsmod modprobe modinfo rmmod ethtool mokutil; do
    ln -s /usr/lib/rocestack-lab/standin "/usr/local/sbin/$tool"
done

# The node's kernel comes from an archive of its own, in front of the distribution's.
printf 'deb [trusted=yes] file:/usr/lib/rocestack-lab/archive ./\n' > /etc/apt/sources.list.d/lab.list
apt-get update -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/lab.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0
apt-get install --yes --no-install-recommends linux-image-6.1.0-41-lab
