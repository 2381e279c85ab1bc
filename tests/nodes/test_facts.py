"""What somebody changed beside a step's settings: its files, its unit, its record, containers and routes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from facts.containers import settings_found
from facts.files import FILES
from facts.rendering import render
from settings import flat
from tests.nodes.node import INTERFACE, Node
from tests.nodes.test_docker_host import ENGINE, ROUTES
from tests.nodes.test_ofed_stack import DATA, LOSSLESS

ADDRESS, QOS, DOCKER, ROUTED = (
    "ofed_stack.address",
    "ofed_stack.qos",
    "docker_host.engine",
    "docker_host.routes",
)
NOUVEAU = "gpu_host.nouveau"
SERVER = "training_job.dataset_server"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    NOUVEAU: {
        "nouveau": "blacklisted",
        "driver": "none",
        "leftovers": "any",
        "tools": "none",
        "reboot": "never",
    },
    ADDRESS: DATA,
    QOS: LOSSLESS,
    DOCKER: ENGINE,
    ROUTED: ROUTES,
    SERVER: {"address": "127.0.0.1:5556", "data_path": "/data"},
}
ALWAYS = [(step, one.key) for step in SETTINGS for one in FILES[step] if not one.conditional]


@pytest.fixture(scope="module")
def ready(node: Node) -> Node:
    """Return a node with all of the steps applied; nouveau stays loaded, as no test here reboots."""
    for step, wanted in SETTINGS.items():
        node.apply(step, wanted)
    return node


def _path(step: str, key: str) -> str:
    one = next(one for one in FILES[step] if one.key == key)
    return one.path.format(interface=INTERFACE)


def _differing(node: Node, step: str) -> dict[str, tuple[str, str]]:
    found = node.differences(step, SETTINGS[step])
    found.pop("nouveau", None)
    return found


@pytest.mark.smoke
def test_everything_is_in_sync_after_it_was_applied(ready: Node) -> None:
    for step in SETTINGS:
        assert _differing(ready, step) == {}
        assert ready.unseen(step, SETTINGS[step]) == set()


@pytest.mark.parametrize(("step", "key"), ALWAYS)
def test_an_edited_file_is_seen_and_made_again(ready: Node, step: str, key: str) -> None:
    path = _path(step, key)
    ready.run(f"echo '# by hand' >>{path}")
    found = _differing(ready, step)
    assert set(found) == {key}
    assert found[key][0] not in ("absent", "no fact")
    ready.run(f"rm {path}")
    assert _differing(ready, step)[key][0] == "absent"
    ready.apply(step, SETTINGS[step])
    assert _differing(ready, step) == {}
    ready.run(f"chmod 600 {path}")
    assert "(mode 600, not " in _differing(ready, step)[key][0]
    ready.apply(step, SETTINGS[step])
    assert _differing(ready, step) == {}


@pytest.mark.parametrize(
    ("step", "unit"),
    [
        (ADDRESS, f"rocestack-address@{INTERFACE}"),
        (QOS, f"rocestack-qos@{INTERFACE}"),
        (ROUTED, "rocestack-routes"),
        (SERVER, "rocestack-dataset"),
    ],
)
def test_a_stopped_unit_is_seen_and_started(ready: Node, step: str, unit: str) -> None:
    ready.run(f"systemctl stop {unit}")
    found = _differing(ready, step)
    assert found.pop("unit") == ("inactive", "active")
    # Of these units one alone is a service that answers.
    assert found == ({"address": ("nothing listens", "127.0.0.1:5556")} if step == SERVER else {})
    ready.apply(step, SETTINGS[step])
    assert _differing(ready, step) == {}


@pytest.mark.parametrize("step", SETTINGS)
def test_a_lost_or_damaged_record_is_seen_each_time(ready: Node, step: str) -> None:
    record = f"/var/lib/rocestack/{step}"
    for _ in range(2):
        ready.run(f"cp {record} /root/record && rm {record}")
        assert _differing(ready, step)["record"] == ("absent", "kept")
        ready.run(f"sed -i '/^{min(SETTINGS[step])}: /d' /root/record && cp /root/record {record}")
        assert _differing(ready, step)["record"][0].startswith("damaged: it does not have ")
        ready.apply(step, SETTINGS[step])
        assert _differing(ready, step) == {}


def test_a_damaged_record_that_cannot_be_read_stops_the_step(ready: Node) -> None:
    record = f"/var/lib/rocestack/{ADDRESS}"
    ready.run(f"cp {record} /root/record && echo garbage >>{record}")
    assert _differing(ready, ADDRESS)["record"][0] == "damaged: it has a line that is no setting"
    assert "has a line that is no setting: garbage" in ready.try_apply(ADDRESS, DATA).stderr
    ready.run(f"cp /root/record {record}")
    assert _differing(ready, ADDRESS) == {}


def test_keys_of_daemon_json_are_read_exactly(ready: Node) -> None:
    ready.run("cp /etc/docker/daemon.json /root/")
    ready.run("""sed -i 's/"bip": .*,$/"bip-note": "172.30.41.1\\/24",/' /etc/docker/daemon.json""")
    assert _differing(ready, DOCKER)["bip"][0] == "172.30.41.1/24 (not in daemon.json)"
    ready.run("cp /root/daemon.json /etc/docker/")
    assert _differing(ready, DOCKER) == {}


def test_somebody_elses_hook_is_left_alone(ready: Node) -> None:
    hook = "/etc/infiniband/post-start-hook.sh"
    assert ready.script(f"test -e {hook}").status == 1, "there is no openibd here"
    ready.run(f"mkdir -p {hook.rpartition('/')[0]} && printf '#!/bin/sh\\ntrue\\n' >{hook}")
    assert _differing(ready, QOS) == {}
    ready.run(f"printf '#!/bin/sh\\n# rocestack: old\\n' >{hook}")
    assert set(_differing(ready, QOS)) == {"file_hook"}
    ready.run(f"rm {hook}")
    assert _differing(ready, QOS) == {}


def _routes(node: Node) -> str:
    return node.probe({ROUTED: ROUTES}).facts[ROUTED].get("foreign_routes", "")


def test_routes_of_others_are_foreign_and_no_drift(ready: Node) -> None:
    assert _routes(ready) == ""
    ready.run(f"ip route add 10.99.0.0/24 via 31.31.31.9 dev {INTERFACE}")
    ready.run(f"ip route add 172.30.42.0/24 via 31.31.31.9 dev {INTERFACE} metric 50")
    said = _routes(ready)
    assert said.split(", ") == [
        f"10.99.0.0/24 via 31.31.31.9 dev {INTERFACE}",
        f"172.30.42.0/24 via 31.31.31.9 dev {INTERFACE} metric 50",
    ]
    assert _differing(ready, ROUTED) == {}
    ready.apply(ROUTED, ROUTES)
    assert _routes(ready) == said
    ready.run("ip route del 10.99.0.0/24; ip route del 172.30.42.0/24 metric 50")
    assert _routes(ready) == ""


def test_containers_are_told_as_they_were_made_and_others_by_name(ready: Node) -> None:
    ready.run("tar -C / -c sbin/ldconfig | docker import - facts:1")
    ready.run("docker create --name web --env TOKEN=secret facts:1 /sbin/ldconfig --version")
    ready.run(
        "docker create --name ours --label rocestack.stack=lab --label rocestack.generation=3 --env A=1 "
        "--network host --cap-drop ALL --restart unless-stopped -v /data:/data:ro facts:1 /sbin/ldconfig ''"
    )
    done = ready.probe({})
    assert done.others == ("web",)
    assert set(done.containers) == {"ours"}
    one = done.containers["ours"]
    assert (one.status, one.generation, one.run_id) == ("created", "3", None)
    assert one.made is not None
    found = settings_found(one.made)
    assert found["command"] == ("/sbin/ldconfig", "")
    assert "A=1" in found["env"]
    assert (found["mounts"], found["capabilities"]) == (("bind /data:/data:ro",), ("-ALL",))
    assert (found["network"], found["restart"]) == (("host",), ("unless-stopped",))
    ready.run("docker rm web ours && docker rmi facts:1")
    assert (ready.probe({}).others, ready.probe({}).containers) == ((), {})


def test_a_container_made_anew_makes_way_and_one_of_others_does_not(ready: Node) -> None:
    clear = render("training_job/container.clear.sh.j2")
    wanted = flat.render({"name": "redis", "stack": "lab"})
    assert ready.script(clear, wanted).status == 0, "there is none"
    ready.run("tar -C / -c sbin/ldconfig | docker import - facts:1")
    ready.run("docker create --name redis --label rocestack.stack=lab facts:1 /sbin/ldconfig")
    assert ready.script(clear, wanted).status == 0
    assert ready.run("docker ps --all --quiet") == ""
    for label in ("", "--label rocestack.stack=other"):
        ready.run(f"docker create --name redis {label} facts:1 /sbin/ldconfig")
        done = ready.script(clear, wanted)
        assert done.status == 1
        assert "has a container redis that is not ours" in done.stderr
        ready.run("docker rm redis")
    ready.run("docker rmi facts:1")
