# shellcheck disable=SC2154  # want is the script's
# What apt would upgrade, by the lists that are here: no network is asked.

# upgradable none|security|full: the packages, one a line. Packages on hold are not among them.
upgradable() {
  [[ $1 != none ]] || return 0
  # Inst NAME [OLD] (NEW ORIGIN:RELEASE/SUITE, … [ARCHITECTURE])
  LC_ALL=C apt-get -s -q --with-new-pkgs upgrade 2>/dev/null | awk -v which="$1" '
    /^Inst / && (which == "full" || /\/[a-z]+-security|Debian-Security/) { print $2 }' | LC_ALL=C sort -u
}
