"""The switch's language: read, compare, change and verify the RoCE settings of an Onyx (MLNX-OS) switch."""
