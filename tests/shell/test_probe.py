"""The probe's shell, run here with stand-ins for the tools whose answers it reads."""

from __future__ import annotations

import os
import subprocess

import pytest

from facts import probe

# Exported functions come before any tool, whatever the script's PATH is.
IPTABLES = """() {
case "$*" in
  *'-t filter -S FORWARD'*) echo '-A FORWARD -j DOCKER-USER' ;;
  *'-t filter -S DOCKER-USER'*) echo '-A DOCKER-USER -j ROCESTACK' ;;
  *'-t nat -S POSTROUTING'*) echo '-A POSTROUTING -j ROCESTACK' ;;
  *'-S ROCESTACK'*)
    for peer in PEERS; do
      echo "-A ROCESTACK -s $peer -i enp1f0 -j ACCEPT"
      echo "-A ROCESTACK -d $peer -o enp1f0 -j ACCEPT"
    done ;;
esac
}"""
IP = """() {
for peer in PEERS; do
  number=${peer#172.30.}
  echo "$peer via 31.31.31.${number%%.*} dev enp1f0 proto 114"
done
}"""


@pytest.mark.parametrize("peers", [[], [42], [42, 43], [41, 43, 44, 45, 46, 47, 48]])
def test_routes_read_back_as_they_are_wanted(peers: list[int]) -> None:
    subnets = [f"172.30.{number}.0/24" for number in peers]
    tools = {"iptables": IPTABLES, "ip": IP}
    functions = {
        f"BASH_FUNC_{name}%%": text.replace("PEERS", " ".join(subnets)) for name, text in tools.items()
    }
    routes = ", ".join(f"172.30.{number}.0/24 via 31.31.31.{number}" for number in peers)
    wanted = {"interface": "enp1f0", "ip_forward": "1", "routes": routes, "forward": "accept"}
    lines = "".join(f"docker_host.routes.{key}: '{value}'\n" for key, value in sorted(wanted.items()))
    done = subprocess.run(
        ["bash", "-c", probe.render(["docker_host.routes"])],
        input=lines,
        env={**os.environ, **functions},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    facts = probe.parse(done.stdout).facts["docker_host.routes"]
    assert facts["forward"] == " ".join(["accept", *subnets])
    # This machine has no unit of ours, so a route that is there would be gone after a reboot.
    assert facts["routes"].removesuffix("(until reboot)").rstrip() == routes
