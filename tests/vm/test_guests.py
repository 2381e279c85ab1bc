"""Real guests: what they are after a boot, after a reboot into their own initramfs, when they die."""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from components.gpu_host import nouveau_settings
from lab.vm.commands import listing
from lab.vm.control import set_link
from lab.vm.observe import observe
from settings.gpu import Gpu
from tests.vm.guest import STACK, Machine
from tests.waiting import wait_until

pytestmark = [pytest.mark.vm, pytest.mark.full]


def test_a_new_guest_is_a_new_host(guest: Machine) -> None:
    assert guest.run("hostname").strip() == guest.guest.name
    assert guest.run("uname -r").strip().endswith("-amd64")
    # No container: its own kernel with its own boot id, and its own loader.
    assert guest.run("systemd-detect-virt --container || true").strip() == "none"
    assert "BOOT_IMAGE=/vmlinuz" in guest.run("cat /proc/cmdline")
    assert guest.run("systemctl is-enabled docker.service || true").strip() == "disabled"
    assert guest.run("systemctl --failed --no-legend").strip() == ""


def test_its_data_interface_is_untouched(guest: Machine) -> None:
    name = guest.guest.data_interface
    assert guest.run(f"cat /sys/class/net/{name}/address").strip() == guest.guest.data_mac
    assert guest.run(f"ip -4 -o address show {name}") == ""
    assert " state DOWN " in guest.run(f"ip -o link show {name}")


def test_it_has_no_way_out_but_the_data_link(guest: Machine) -> None:
    assert guest.run("ip -4 route show default") == ""
    assert guest.script("timeout 5 bash -c '</dev/tcp/10.0.2.2/22540'").status != 0


def test_frames_between_two_guests(guest: Machine, other: Machine) -> None:
    for number, one in enumerate((guest, other), start=1):
        name = one.guest.data_interface
        one.run(f"ip link set {name} mtu 4200 up && ip address replace 10.77.0.{number}/24 dev {name}")
    # As large as the MTU allows, and not in pieces.
    said = guest.run("ping -c 5 -M do -s 4172 -w 30 10.77.0.2")
    assert " 0% packet loss" in said
    assert guest.script("ping -c 1 -M do -s 4173 -w 5 10.77.0.2").status != 0


def test_a_pulled_cable_is_no_carrier(guest: Machine) -> None:
    carrier = f"cat /sys/class/net/{guest.guest.data_interface}/carrier"
    guest.run(f"ip link set {guest.guest.data_interface} up")
    wait_until(lambda: guest.run(carrier) == "1\n", 20, "carrier")
    set_link(guest.guest, guest.files, up=False)
    wait_until(lambda: guest.run(carrier) == "0\n", 20, "no carrier")
    set_link(guest.guest, guest.files, up=True)
    wait_until(lambda: guest.run(carrier) == "1\n", 20, "carrier again")


def test_the_data_sets_archives_are_there(guest: Machine) -> None:
    names = guest.run("ls /srv/rocestack-data").split()
    assert {"photographs_img_train.tar", "photographs_img_val.tar", "photographs_lists.tar.gz"} <= set(names)
    assert guest.script("touch /srv/rocestack-data/x").status != 0


def test_nouveau_is_off_after_a_reboot_into_an_initramfs_of_its_own(guest: Machine) -> None:
    """Metal's step: nouveau is in, is blacklisted, the initramfs is built, the next boot is without it."""
    assert "nouveau" in guest.run("lsmod")
    before = guest.boot_id()
    built = guest.run("stat -c %Y /boot/initrd.img-*").strip()
    done, rebooted = guest.settle("gpu_host.nouveau", {**nouveau_settings(Gpu()), "reboot": "auto"})
    assert done.status == 0, done.stderr
    assert rebooted
    assert guest.boot_id() != before
    assert "nouveau" not in guest.run("lsmod")
    assert guest.run("stat -c %Y /boot/initrd.img-*").strip() > built
    assert "rocestack-nouveau.conf" in guest.run("lsinitramfs /boot/initrd.img-$(uname -r)")


def test_the_step_asks_for_no_second_reboot(guest: Machine) -> None:
    done, rebooted = guest.settle("gpu_host.nouveau", {**nouveau_settings(Gpu()), "reboot": "auto"})
    assert (done.status, rebooted) == (0, False)


def test_ssh_is_back_after_each_reboot(guest: Machine) -> None:
    guest.run("update-initramfs -u -k all")
    for _ in range(2):
        guest.reboot()
        assert (
            guest.run(f"cat /sys/class/net/{guest.guest.data_interface}/address").strip()
            == guest.guest.data_mac
        )


def test_a_container_runs_confined(guest: Machine) -> None:
    guest.run("systemctl start docker.service")
    guest.run("tar -C / -c sbin/ldconfig | docker import - check:1")
    assert "ldconfig" in guest.run("docker run --rm check:1 /sbin/ldconfig --version")
    assert "docker-default" in guest.run("cat /sys/kernel/security/apparmor/profiles")


def test_a_guest_that_died_is_seen_and_comes_back_with_its_disk(guest: Machine) -> None:
    guest.run("echo kept > /root/mark && sync")
    name, files = guest.guest.name, guest.files
    recorded = {name: guest.guest.generation}
    assert observe(files, STACK, [name], recorded)[name].state == "present"
    pid = guest.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: guest.pid is None, 20, "the guest's end")
    assert observe(files, STACK, [name], recorded)[name].state == "stopped"
    assert f"{name}" in listing(files) and "stopped" in listing(files)
    guest.guest = replace(guest.guest, start=guest.guest.start + 1)
    assert guest.start() == "started"
    guest.wait()
    assert guest.run("cat /root/mark") == "kept\n"
    # And one that runs is left alone.
    pid = guest.pid
    assert guest.start() == "runs"
    assert guest.pid == pid


def test_another_generation_is_an_empty_machine(guest: Machine) -> None:
    guest.guest = replace(guest.guest, generation=guest.guest.generation + 1)
    assert guest.start() == "started"
    guest.wait()
    assert guest.script("test -e /root/mark").status != 0


def test_nothing_is_left_of_a_guest_that_was_ended(pair: list[Machine]) -> None:
    pids = [one.pid for one in pair]
    for one in pair:
        one.stop()
    for one, pid in zip(pair, pids, strict=True):
        assert pid is not None
        assert not os.path.exists(f"/proc/{pid}/exe")
        assert not one.own.folder.exists()
    assert not pair[0].files.sockets(STACK).exists()
