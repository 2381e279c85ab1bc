"""The hardware that a lab node seems to have: cards, firmware, kernel modules, and the tools that show them.

It runs on the nodes, from /usr/lib/rocestack-lab/python, and needs nothing but Python's own library.
"""
