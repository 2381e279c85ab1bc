"""Each rule of the policy pack: a resource that violates it beside its twin that conforms."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from policy import rules
from policy.resource import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, UNKNOWN_TEXT, Resource, Secret, decode
from settings import flat

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA=="
_TITLE = "OPENSSH PRIVATE KEY-----\n"
PRIVATE = f"-----BEGIN {_TITLE}b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n-----END {_TITLE}"
SSH_OPTIONS = ["-i", "/key", "-o", "UserKnownHostsFile=/known", "-o", "StrictHostKeyChecking=yes"]
Rule = Callable[[Resource], Iterable[str]]


def remote(connection: Any = None, **inputs: Any) -> Resource:
    given = {"host": "h", "hostKey": KEY} if connection is None else connection
    return Resource("command:remote:Command", "node/step", {"connection": given, **inputs})


def local(**inputs: Any) -> Resource:
    return Resource("command:local:Command", "operator/step", inputs)


def container(**inputs: Any) -> Resource:
    return Resource("docker:index/container:Container", "node/redis", inputs)


def engine(host: Any, options: Any = None) -> Resource:
    return Resource("pulumi:providers:docker", "node/docker", {"host": host, "sshOpts": options})


def login(**lines: str) -> Resource:
    return local(create="python -m onyx apply", stdin=flat.render(lines))


VIOLATING: list[tuple[str, Rule, Resource, tuple[str, ...]]] = [
    ("no key", rules.host_key, remote({"host": "h"}), ("node/step: connection.hostKey is not set",)),
    ("secret connection", rules.host_key, remote(Secret({"host": "h"})), ("hostKey is not set",)),
    ("no key at all", rules.host_key, remote({"host": "h", "hostKey": "yes"}), ("hostKey is 'yes'",)),
    (
        "bastion",
        rules.host_key,
        remote({"host": "h", "hostKey": KEY, "proxy": {"host": "b"}}),
        ("connection.proxy.hostKey is not set",),
    ),
    (
        "copy",
        rules.host_key,
        Resource("command:remote:CopyToRemote", "node/file", {"connection": {"host": "h"}}),
        ("node/file: connection.hostKey is not set",),
    ),
    (
        "login in stdin",
        rules.host_key,
        login(address="10.0.0.1", user="admin"),
        ("operator/step: its stdin says to log in at address '10.0.0.1', but has no host_key",),
    ),
    (
        "login over https with half a digest",
        rules.host_key,
        login(address="10.0.0.1", user="admin", certificate_sha256="ab" * 16),
        ("its stdin says to log in at address '10.0.0.1', but has no host_key",),
    ),
    (
        "second login in stdin",
        rules.host_key,
        login(
            shard_0_address="a", shard_0_user="u", shard_0_host_key=KEY, shard_1_address="b", shard_1_user="u"
        ),
        ("has no shard_1_host_key",),
    ),
    ("docker", rules.host_key, engine("ssh://root@h"), ("without StrictHostKeyChecking=yes", "nothing")),
    (
        "docker, accept-new",
        rules.host_key,
        engine("ssh://root@h", json.dumps(["-o", "StrictHostKeyChecking=accept-new"])),
        ("found: -o StrictHostKeyChecking=accept-new",),
    ),
    ("no delete", rules.has_remove, remote(create="touch /x"), ("node/step: it has a create but no delete",)),
    ("empty delete", rules.has_remove, local(create="touch /x", delete=""), ("no delete",)),
    ("only update", rules.has_remove, local(update="touch /x"), ("no delete",)),
    (
        "looks, and more",
        rules.has_remove,
        local(create="python -m lab wait; touch /x"),
        ("allowed is a delete",),
    ),
    (
        "privileged",
        rules.not_privileged,
        container(privileged=True),
        ("node/redis: the container is privileged",),
    ),
    (
        "all capabilities",
        rules.not_privileged,
        container(capabilities={"adds": ["CAP_ALL"]}),
        ("adds the capability CAP_ALL",),
    ),
    (
        "in a script",
        rules.not_privileged,
        remote(create="docker run -d \\\n  --privileged image"),
        ("its create starts a container with --privileged",),
    ),
    (
        "password",
        rules.no_secret_in_scripts,
        remote({"host": "h", "password": "pass-word"}, create="login pass-word"),
        ("node/step: its create holds the value of one of its secret inputs",),
    ),
    (
        "private key's text",
        rules.no_secret_in_scripts,
        remote(update=f"cat > key <<E\n{PRIVATE}E"),
        ("its update holds the text of a private key",),
    ),
    (
        "one line of the key",
        rules.no_secret_in_scripts,
        remote(Secret({"privateKey": PRIVATE}), delete=f"echo '  {PRIVATE.splitlines()[1]}'"),
        ("its delete holds the value",),
    ),
    (
        "the bastion's password",
        rules.no_secret_in_scripts,
        remote({"host": "h", "proxy": {"password": "pass-word"}}, create="pass-word"),
        ("its create holds the value",),
    ),
    (
        "environment",
        rules.no_secret_in_scripts,
        local(environment=Secret({"TOKEN": "to-ken"}), create="echo to-ken"),
        ("its create holds the value",),
    ),
    (
        "one of the environment",
        rules.no_secret_in_scripts,
        local(environment={"A": "open-word", "TOKEN": Secret("to-ken")}, create="echo to-ken"),
        ("its create holds the value",),
    ),
    (
        "stdin",
        rules.no_secret_in_scripts,
        local(stdin=Secret("to-ken\n"), create="echo to-ken"),
        ("its create holds the value",),
    ),
    ("secret script", rules.no_secret_in_scripts, local(create=Secret("true")), ("its create is a secret",)),
]
CONFORMING: list[tuple[str, Rule, Resource]] = [
    ("key", rules.host_key, remote()),
    ("secret connection", rules.host_key, remote(Secret({"host": "h", "hostKey": KEY}))),
    ("key that the run brings", rules.host_key, remote({"host": "h", "hostKey": UNKNOWN})),
    ("connection that the run brings", rules.host_key, remote(UNKNOWN)),
    (
        "bastion",
        rules.host_key,
        remote({"host": "h", "hostKey": KEY, "proxy": {"host": "b", "hostKey": f"{KEY} name"}}),
    ),
    ("login in stdin", rules.host_key, login(address="10.0.0.1", user="admin", host_key=KEY)),
    (
        "login over https in stdin",
        rules.host_key,
        login(address="10.0.0.1", user="admin", certificate_sha256="ab" * 32),
    ),
    ("an address that nobody logs in to", rules.host_key, login(address="10.0.0.1/24", mtu="9000")),
    ("stdin of another format", rules.host_key, local(create="cat", stdin="address 1")),
    ("docker", rules.host_key, engine("ssh://root@h", json.dumps(SSH_OPTIONS))),
    ("docker, plain list", rules.host_key, engine(Secret("ssh://root@h"), SSH_OPTIONS)),
    ("docker by socket", rules.host_key, engine("unix:///run/docker.sock")),
    ("docker that the run brings", rules.host_key, engine(UNKNOWN)),
    ("delete", rules.has_remove, remote(create="touch /x", delete="rm /x")),
    ("delete that the run brings", rules.has_remove, remote(create="touch /x", delete=UNKNOWN)),
    (
        "looks only",
        rules.has_remove,
        local(create="python -m training wait", update="python -m training wait"),
    ),
    ("nothing to run", rules.has_remove, local(stdin="v")),
    ("container", rules.has_remove, container()),
    ("not privileged", rules.not_privileged, container(privileged=False)),
    (
        "one capability",
        rules.not_privileged,
        container(capabilities={"adds": ["CAP_NET_ADMIN"], "drops": ["ALL"]}),
    ),
    ("no word about it", rules.not_privileged, container()),
    ("in a script", rules.not_privileged, remote(create="docker run -d image; echo --privileged")),
    ("said to be off", rules.not_privileged, remote(create="docker run --privileged=false image")),
    (
        "password",
        rules.no_secret_in_scripts,
        remote({"host": "h", "password": "pass-word"}, create="login", stdin="pass-word"),
    ),
    (
        "a word too short",
        rules.no_secret_in_scripts,
        remote({"host": "h", "password": "admin"}, create="id admin"),
    ),
    ("a public key", rules.no_secret_in_scripts, remote(create="echo '-----BEGIN PUBLIC KEY-----'")),
    (
        "open environment",
        rules.no_secret_in_scripts,
        local(environment={"A": "open-word"}, create="open-word"),
    ),
    (
        "secret environment",
        rules.no_secret_in_scripts,
        local(environment=Secret({"T": "to-ken"}), create="echo $T"),
    ),
    ("script that the run brings", rules.no_secret_in_scripts, local(create=UNKNOWN, stdin=Secret("to-ken"))),
]


@pytest.mark.parametrize(
    ("rule", "resource", "said"),
    [one[1:] for one in VIOLATING],
    ids=[f"{one[1].__name__}-{one[0]}" for one in VIOLATING],
)
def test_a_violation_is_told(rule: Rule, resource: Resource, said: tuple[str, ...]) -> None:
    found = list(rule(resource))
    assert len(found) == 1
    assert "allowed" in found[0]
    assert found[0].startswith(f"{resource.name}: ")
    for text in said:
        assert text in found[0]
    assert "pass-word" not in found[0]
    assert "to-ken" not in found[0]


@pytest.mark.parametrize(
    ("rule", "resource"),
    [one[1:] for one in CONFORMING],
    ids=[f"{one[1].__name__}-{one[0]}" for one in CONFORMING],
)
def test_its_twin_conforms(rule: Rule, resource: Resource) -> None:
    assert list(rule(resource)) == []


def test_every_rule_has_both_twins() -> None:
    every = {rules.host_key, rules.has_remove, rules.not_privileged, rules.no_secret_in_scripts}
    assert {one[1] for one in VIOLATING} == every
    assert {one[1] for one in CONFORMING} == every


def test_a_message_of_the_engine_is_read() -> None:
    message = json_format.ParseDict(
        {
            "connection": {
                SIGNATURE_KEY: SECRET_SIGNATURE,
                "value": {"host": "h", "port": 22, "keys": ["a", None, True]},
            },
            "stdin": UNKNOWN_TEXT,
            "create": "true",
        },
        struct_pb2.Struct(),
    )
    assert decode(message) == {
        "connection": Secret({"host": "h", "port": 22.0, "keys": ["a", None, True]}),
        "stdin": UNKNOWN,
        "create": "true",
    }
