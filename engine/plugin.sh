#!/bin/sh
# Starts rocestack's own @NAME@ plugin out of the checkout; installed by `make setup`.
exec @PYTHON@ -P -m engine.plugins.@NAME@ "$@"
