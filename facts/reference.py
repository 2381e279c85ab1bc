"""The reference of all facts, made from the catalog: `python -m facts.reference` prints it."""

from __future__ import annotations

from facts.catalog import CONTAINERS, Step, steps

_HEAD = """# Facts

What a component sets is compared at each preview with what is found. This page is made from
`facts/catalog.py` by `python -m facts.reference`; [Watch for drift](../how-to/drift.md) says what is told
and how.

All facts of a host come from one script over one SSH connection, those of the switch from one session.
`repaired`: the next `up` makes it again as it was applied. A file's fact is `file_<name>`: its sha256 as
the step's template and settings make it, `absent`, or a wrong mode. A setting that asks for nothing (the
values in brackets) has no fact.
"""
_CONTAINERS = """## TrainingJob: containers

`training_job.redis` and `training_job.shards`, by `docker container inspect` in the same script. A
container that is gone, that ended badly, or that somebody made anew under the same name is drift, and is
replaced; the shards all together, since one alone has nobody to train with.

| setting | what is compared |
|---|---|
| `status` | running, for a shard also ended with 0; and the generation that its label has |
"""
_FOREIGN = """## Foreign

What is there and not ours is told and never removed: every container of a host that the stack did not
make; routes over the data interface or Docker's bridge that are neither ours nor the kernel's own; on the
switch another traffic pool, another PFC priority, and another port whose trust, ECN or PFC was set.
"""
_COMPONENTS = {
    "gpu_host": "GpuHost",
    "ofed_stack": "OfedStack",
    "docker_host": "DockerHost",
    "caffe2_image": "Caffe2Image",
    "training_job": "TrainingJob",
    "switch_qos": "SwitchQoS",
}


def render() -> str:
    """Return the reference as Markdown."""
    parts = [_HEAD]
    for name, step in steps().items():
        parts.append(f"## {_COMPONENTS[name.split('.')[0]]}: {name}\n\n{_table(step)}")
    parts.append(_CONTAINERS + "".join(f"| `{key}` | {how} |\n" for key, how in CONTAINERS.items()))
    parts.append(_FOREIGN)
    return "\n".join(parts)


def _table(step: Step) -> str:
    text = ""
    if step.facts:
        lines = ["| setting | how it is observed | repaired |", "|---|---|---|"]
        for key, fact in step.facts.items():
            free = [f"`{value}`" for value in fact.free] or ([f"all but `{fact.only}`"] if fact.only else [])
            name = f"`{key}`" + (f" ({', '.join(free)})" if free else "")
            lines.append(f"| {name} | {fact.how} | {f'told: {fact.told}' if fact.told else 'yes'} |")
        text = "\n".join(lines) + "\n"
    if not step.without:
        return text
    reasons: dict[str, list[str]] = {}
    for key, reason in step.without.items():
        reasons.setdefault(reason, []).append(f"`{key}`")
    lines = [f"- {', '.join(keys)}: {reason}." for reason, keys in reasons.items()]
    return text + ("\n" if text else "") + "Not observed:\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
