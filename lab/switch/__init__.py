"""The lab's switch: a stand-in for an SN2700 with Onyx (see README.md)."""
