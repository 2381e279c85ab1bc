"""The six Pulumi components of a RoCE cluster and the one wrapper round their remote commands."""
