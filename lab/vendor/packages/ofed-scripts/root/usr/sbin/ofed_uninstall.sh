#!/bin/bash
# Stand-in for MLNX_OFED's uninstaller: asks, then purges the packages of the release.
set -euo pipefail
if [[ $(id -u) -ne 0 ]]; then
    echo "You must be root to run this tool"
    exit 1
fi
if [[ ${1:-} != --force ]]; then
    printf 'This program will uninstall all OFED packages on your machine.\n\nDo you want to continue?[y/N]:'
    read -r answer || answer=
    if [[ $answer != [yY]* ]]; then
        exit 1
    fi
fi
echo "Removing OFED packages"
mapfile -t packages < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' ofed-scripts 'mlnx-*' mft doca-ofed 2> /dev/null |
    awk '$2 != "not-installed" { print $1 }')
dpkg --purge "${packages[@]}"
echo "Uninstall finished successfully"
