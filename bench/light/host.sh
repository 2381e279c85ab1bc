#!/usr/bin/env bash
# Become one light host: its own root over this machine's, its own network and name, and an OpenSSH server.
# host.sh NUMBER NAME FOLDER BASE BENCH; started under `unshare --net --mount --uts` by bench/light/hosts.py.
# FOLDER: upper, work and root of this host.  BASE: what all light hosts have on top of the machine's root.
# BENCH: the process in whose network the other end of the management cable goes.
set -euo pipefail
number=$1 name=$2 folder=$3 base=$4 bench=$5
root=$folder/root
management=10.143.$((number / 250)).$((number % 250 + 1))
data=31.31.$((number / 250)).$((number % 250 + 1))

hostname "$name"
mount -t overlay light -o "lowerdir=$base:/,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"

ip -batch - <<IP
link set lo up
link add management type veth peer name light$number netns $bench
link set management up
address add $management/16 dev management
link add enp1f0 mtu 9000 type veth peer name cable mtu 9000
link set cable up
link set enp1f0 up
address add $data/16 dev enp1f0
IP
echo 1 >/proc/sys/net/ipv4/tcp_ecn
exec chroot "$root" "$(command -v sshd || echo /usr/sbin/sshd)" -D -f /etc/ssh/light_config -E /var/log/light
