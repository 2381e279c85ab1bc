# shellcheck disable=SC2154  # want is the script's
# What apt would upgrade, by the lists that are here: no network is asked.

# upgradable none|security|full: the packages, one a line. Packages on hold are not among them.
upgradable() {
  [[ $1 != none ]] || return 0
  # Inst NAME [OLD] (NEW ORIGIN:RELEASE/SUITE, … [ARCHITECTURE])
  LC_ALL=C apt-get -s -q --with-new-pkgs upgrade 2>/dev/null | awk -v which="$1" '
    /^Inst / && (which == "full" || /\/[a-z]+-security|Debian-Security/) { print $2 }' | LC_ALL=C sort -u
}

# kernel_installed_newest: the newest kernel that a package brought, or nothing.
kernel_installed_newest() {
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' 'linux-image-[0-9]*' 2>/dev/null |
    sed -n 's/^installed linux-image-//p' | sort -V | tail -n 1
}
