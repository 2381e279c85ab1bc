"""Known texts of the trainer, Gloo, Redis, LMDB and our own programs, each with its cause for a person."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """A cause for a person. `consequence`: the shard fell because another one did."""

    sentence: str
    hint: str
    consequence: bool = False


@dataclass(frozen=True)
class Known:
    """A text in a shard's output that tells a cause."""

    pattern: re.Pattern[str]
    sentence: str  # {0} … are the pattern's groups
    hint: str
    consequence: bool = False


def _known(pattern: str, sentence: str, hint: str, *, consequence: bool = False) -> Known:
    return Known(re.compile(pattern), sentence, hint, consequence)


NEW_TRY = "Run `pulumi up` again: it takes a new run id."

# The first that fits any line is the cause, so what tells more stands before what follows from it.
TEXTS = (
    _known(
        r"rocestack-shard: error 92: (.*)",
        "It gave up waiting: {0}.",
        "See why the missing shards did not start: each must reach Redis over the data network.",
        consequence=True,
    ),
    _known(
        r"rocestack-shard: error 143: ",
        "It was stopped while it waited for the other shards.",
        NEW_TRY,
        consequence=True,
    ),
    _known(
        r"rocestack-shard: error 91: (.*)",
        "{0}.",
        "Is the Redis container running on the head host, and does the data network carry traffic to it?",
    ),
    _known(r"rocestack-shard: error 93: (.*)", "{0}.", NEW_TRY),
    _known(
        r"rocestack-shard: error 94: (.*)",
        "{0}.",
        "Remove the data path on each host and run `pulumi up` again.",
    ),
    _known(
        r"rocestack-shard: error 95: (.*)",
        "{0}.",
        "Run `pulumi up` again: the data set is made anew where it is not as it was made.",
    ),
    _known(
        r"rocestack-shard: error 96: (.*)",
        "{0}.",
        "See `show_gids` or /sys/class/infiniband on that host: the card must be up with the data address, "
        "and `rocestack:training` rdma_device, gid_index and rdma_nodes must fit it where they are set.",
    ),
    _known(
        r"rocestack-shard: error 97: (.*)",
        "{0}.",
        "Build the image anew; every flavour brings the library.",
    ),
    _known(
        r"rocestack-verbs: error: (.*)",
        "Our library for verbs refused: {0}.",
        "See `rocestack:training` gid_index and ack_timeout, and the GID table of the card on that host.",
    ),
    _known(
        r"object '(\S*librocestack_verbs\.so)' from LD_PRELOAD cannot be preloaded",
        "The loader could not load {0}, so the traffic would not be marked.",
        "Build the image anew; the library must be built with that image's own libraries.",
    ),
    _known(r"rocestack-shard: error \d+: (.*)", "{0}.", "See the job's settings under `rocestack:training`."),
    _known(
        r"Value at (\S+) was already set",
        "The run id was used before: Redis already holds {0} of another try.",
        NEW_TRY,
    ),
    _known(
        r"Redis at (\S+): (.*)",
        "Redis at {0} could not be reached: {1}.",
        "Is the Redis container running on the head host, and does the data network carry traffic to it?",
    ),
    _known(
        r"Redis did not answer (\S+): (.*)",
        "Redis went away while the shard used it: {1}.",
        "See the Redis container on the head host and the data network to it.",
    ),
    _known(
        r"Redis refused (\S+): (.*)|reply->type == REDIS_REPLY_INTEGER\. 6 vs 3",
        "Redis does not take writes from this shard.",
        "It must run without a password and not in protected mode; only the cluster may reach it.",
    ),
    _known(
        r"Cannot create operator of type 'RedisStoreHandlerCreate'",
        "This image's Caffe2 was built without Redis.",
        "Build it with USE_REDIS, or use the flavour `debian`, which brings the operator.",
    ),
    _known(
        r"lmdb\.cc:\d+\] mdb_status == MDB_SUCCESS\. \d+ vs 0\. (.*)",
        "The training data cannot be opened: {0}.",
        "Is the data set on this host, under `rocestack:training` data_path, and mounted into the container?",
    ),
    _known(
        r"\*\*\* SIGBUS ",
        "The training data was cut off while it was read.",
        "Somebody changed the LMDB, or its disk has faults; run `pulumi up` again, which makes it anew.",
    ),
    _known(
        r"Unable to find address for: (\S+)",
        "The container has no address on the interface {0}.",
        "Set `rocestack:network` data_interface to the interface that holds the data address.",
    ),
    _known(
        r"Unable to find device named: (\S+)",
        "The container sees no RDMA device {0}.",
        "See `ibv_devices` on the host; /dev/infiniband must be passed in. On a host without one use tcp.",
    ),
    _known(
        r"Gloo was not compiled with ibverbs support",
        "This image's Gloo was built without ibverbs.",
        "Build it with USE_IBVERBS, or use the transport tcp.",
    ),
    _known(
        r"ibv_reg_mr: Cannot allocate memory|ibverbs/memory_region\.cc:\d+\] mr_\.",
        "The container may not lock memory for RDMA.",
        "Give it the capability IPC_LOCK and an unlimited memlock.",
    ),
    _known(
        r"ibverbs/pair\.cc:\d+\] rv == 0\. (?:22|61) vs 0",
        "The RDMA device has no usable GID at the chosen index.",
        "On every host the index must be RoCE v2 with the data address (`show_gids`) and the library loaded.",
    ),
    _known(
        r"ibverbs/pair\.cc:\d+\] rv == 0\. 38 vs 0",
        "Our library for verbs does not find the RDMA library in this image.",
        "Build the image anew; the library must be linked against libibverbs.",
    ),
    _known(
        r"wc->status == IBV_WC_SUCCESS\. 9 vs 0",
        "A packet was sent again although it had arrived.",
        "Raise `rocestack:training` ack_timeout (Gloo's own is 14, which is 67 ms).",
    ),
    _known(
        r"wc->status == IBV_WC_SUCCESS\. (?:4|8|10) vs 0",
        "The RDMA card may not reach the memory that it was given.",
        "With GPU memory the module nv_peer_mem or nvidia_peermem must be loaded on each host.",
    ),
    _known(
        # Flushed: what was under way on a connection that had an error already, most often the peer's.
        r"wc->status == IBV_WC_SUCCESS\. 5 vs 0",
        "The RDMA connection to another shard was broken.",
        "See that shard's own failure.",
        consequence=True,
    ),
    _known(
        r"wc->status == IBV_WC_SUCCESS\. 12 vs 0",
        "RDMA packets to another shard get no answer.",
        "Check the GID index, the MTU and the path between the hosts: `ib_write_bw -R` must work there. "
        "Where hosts are slow to answer, raise `rocestack:training` ack_timeout.",
    ),
    _known(
        r"wc->status == IBV_WC_SUCCESS\. (\d+) vs 0",
        "An RDMA transfer failed with work completion status {0}.",
        "See `ibv_wc_status` for the number, and the RDMA card's counters on both hosts.",
    ),
    _known(
        r"CUDA driver version is insufficient for CUDA runtime version",
        "The host's NVIDIA driver is too old for this image's CUDA.",
        "Raise `rocestack:gpu` version, or build the image on an older `rocestack:image` base.",
    ),
    _known(
        r"no CUDA-capable device is detected|NumCudaDevices\(\).*> 0",
        "The container sees no GPU.",
        "See `nvidia-smi` on the host, and `rocestack:docker` runtime.",
    ),
    _known(
        r"no kernel image is available for execution on the device",
        "This image's Caffe2 was not built for the host's GPUs.",
        "Build it with their compute capability (CUDA_ARCH_BIN).",
    ),
    _known(
        r"CUDA error: out of memory|cudaErrorMemoryAllocation|error == cudaSuccess\. 2 vs 0",
        "The GPU's memory is too small for this batch.",
        "Lower `rocestack:training` batch_size or image_size, or use float16.",
    ),
    _known(
        r"FP16MomentumSGDUpdate|c10::Half",
        "Half precision does not work without a GPU.",
        "Use float on hosts without a GPU.",
    ),
    _known(
        r"CopyGPUToCPU",
        "The trainer looked for a GPU.",
        "Without a GPU it needs --use_cpu.",
    ),
    _known(
        r"Exploded gradients",
        "The training diverged: its loss rose above 40.",
        "Lower `rocestack:training` base_learning_rate; small batches need a small one.",
    ),
    _known(
        r"Epoch size must be larger than batch size times shard count",
        "An epoch is smaller than one step of all shards.",
        "Set `rocestack:training` epoch_size to at least batch_size times the number of shards.",
    ),
    _known(
        r"No space left on device|fwrite\(.*\) == value_len\. \d+ vs \d+",
        "The disk of the host's Docker engine is full.",
        "Free space on it (`docker system df` tells what takes it), then run `pulumi up`.",
    ),
    _known(
        r"ModuleNotFoundError: No module named '(\S+)'",
        "The image lacks the Python module {0}.",
        "Build the image anew; `rocestack-check` in it names what is missing.",
    ),
    _known(
        r"unrecognized arguments: (.*)",
        "The trainer does not know the arguments {0}.",
        "This image's trainer is of another version than the job's settings.",
    ),
    _known(
        r"Wait timeout for name\(s\): (\S+)",
        "Another shard did not come within 30 s ({0}).",
        "See that shard's own failure; all start at the same time.",
        consequence=True,
    ),
    _known(
        r"Connection reset by peer|Connection closed by peer",
        "Another shard broke the connection.",
        "See that shard's own failure.",
        consequence=True,
    ),
    _known(
        r"Read timeout|Call did not finish in time|Timed out waiting",
        "Another shard stopped answering.",
        "See that shard and the data network between the two.",
        consequence=True,
    ),
)
