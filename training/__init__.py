"""The training job's watcher: what a shard's output says, why one failed, and waiting for all of them."""
