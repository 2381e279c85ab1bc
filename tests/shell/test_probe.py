"""The probe's shell, run here with stand-ins for the tools whose answers it reads."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from facts import probe

# Exported functions come before any tool, whatever the script's PATH is.
IPTABLES = """() {
case "$*" in
  *'-t filter -S FORWARD'*) printf '%s\\n' '-P FORWARD POLICY' '-A FORWARD -j DOCKER-USER' ;;
  *'-t filter -S DOCKER-USER'*) echo '-A DOCKER-USER -j ROCESTACK' ;;
  *'-t nat -S POSTROUTING'*) echo '-A POSTROUTING -j ROCESTACK' ;;
  *'-t raw -S PREROUTING'*) printf '%s\\n' '-P PREROUTING ACCEPT' RAW ;;
  *'-t raw -S ROCESTACK'*)
    for peer in PEERS; do
      echo "-A ROCESTACK -s $peer -d 172.30.40.0/24 -i enp1f0 -j ACCEPT"
    done ;;
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


# What Docker 28 and later add for each container.
DROP = "'-A PREROUTING -d 172.30.40.2/32 ! -i docker0 -j DROP'"
JUMP = "'-A PREROUTING -j ROCESTACK'"


def _observed(
    peers: list[int], *, forward: str = "rules", policy: str = "DROP", raw: str = ""
) -> dict[str, str]:
    subnets = [f"172.30.{number}.0/24" for number in peers]
    filled = {"PEERS": " ".join(subnets), "POLICY": policy, "RAW": raw}
    functions = {
        f"BASH_FUNC_{name}%%": re.sub("|".join(filled), lambda found: filled[found.group()], text)
        for name, text in {"iptables": IPTABLES, "ip": IP}.items()
    }
    routes = ", ".join(f"172.30.{number}.0/24 via 31.31.31.{number}" for number in peers)
    wanted = {"interface": "enp1f0", "subnet": "172.30.40.0/24", "ip_forward": "1", "routes": routes}
    wanted |= {"forward": " ".join(["accept", *subnets]), "forward_policy": forward}
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
    found = dict(probe.parse(done.stdout).facts["docker_host.routes"])
    # This machine has no unit of ours, so what is there would be gone after a reboot.
    return {key: value.removesuffix("(until reboot)").rstrip() for key, value in found.items()} | {
        "wanted": routes
    }


@pytest.mark.parametrize("peers", [[], [42], [42, 43], [41, 43, 44, 45, 46, 47, 48]])
def test_routes_read_back_as_they_are_wanted(peers: list[int]) -> None:
    facts = _observed(peers)
    assert facts["forward"] == " ".join(["accept", *(f"172.30.{number}.0/24" for number in peers)])
    assert facts["routes"] == facts["wanted"]
    assert "forward_policy" not in facts


@pytest.mark.parametrize(("policy", "found"), [("ACCEPT", "accept"), ("DROP", "drop")])
def test_the_policy_of_the_chain_is_a_fact_where_it_is_ours(policy: str, found: str) -> None:
    assert _observed([42], forward="accept", policy=policy)["forward_policy"] == found


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (f"{JUMP} {DROP}", "accept 172.30.42.0/24"),
        (DROP, "accept 172.30.42.0/24 (but Docker drops them first)"),
        (f"{DROP} {JUMP}", "accept 172.30.42.0/24 (but Docker drops them first)"),
    ],
    ids=["ours first", "no rule of ours", "ours too late"],
)
def test_rules_of_docker_28_are_seen(raw: str, found: str) -> None:
    assert _observed([42], raw=raw)["forward"] == found
