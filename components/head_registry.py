"""The image registry of ours on the head host: its certificate, and the service that all hosts pull from."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import pulumi

from components.context import Cluster, HostContext
from components.host_step import host_step

CERTIFICATE_STEP = "caffe2_image.certificate"
REGISTRY_STEP = "caffe2_image.registry"


class HeadRegistry:
    """The two steps on the head host.

    `address` is IPv4:port on the data network, `certificate` the PEM that hosts have to trust in base64, and
    `ready` the resource after which the registry serves. The certificate is a step of its own, so a registry
    that is repaired leaves it, and all that hosts are told, known at preview.
    """

    def __init__(
        self, cluster: Cluster, head: HostContext, parent: pulumi.Resource, after: Sequence[pulumi.Resource]
    ) -> None:
        registry = cluster.stack.registry
        if registry is None:
            raise ValueError("the stack has no registry section")
        self.address = f"{head.host.data_address}:{registry.port}"
        made = host_step(
            cluster,
            head,
            CERTIFICATE_STEP,
            {"address": self.address, "certificate": "kept"},
            parent=parent,
            depends_on=after,
        )
        self.certificate = made.stdout.apply(_last)
        self.ready = host_step(
            cluster,
            head,
            REGISTRY_STEP,
            {
                "address": self.address,
                "interface": cluster.stack.network.data_interface,
                "user": head.access.user,
                "certificate": self.certificate.apply(fingerprint),
                "package": "docker-registry",
                "data": "kept",
                "service": "active",
            },
            parent=parent,
        )


def fingerprint(certificate: str) -> str:
    """Return the sha256 in hexadecimal of a certificate's PEM file, which is given in base64."""
    return hashlib.sha256(base64.b64decode(certificate)).hexdigest()


def _last(text: str) -> str:
    return text.strip().rpartition("\n")[2]
