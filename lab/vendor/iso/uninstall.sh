#!/bin/bash
# Stand-in for the uninstaller on the image: the one that the installer left on the host does the work.
if [[ ! -x /usr/sbin/ofed_uninstall.sh ]]; then
    echo "@OFED_NAME@ is not installed."
    exit 0
fi
exec /usr/sbin/ofed_uninstall.sh "$@"
