# shellcheck disable=SC2154  # want and own are the script's
# DOCA-OFED: the vendor's apt repository, whose package doca-ofed brings the rest at its version.

doca_ofed_have() {
  local version=${want[version]} chosen brought offers
  repository_set doca-ofed
  chosen=doca-ofed=$version
  if ! package_installed doca-ofed || [[ $(dpkg-query -W -f '${Version}' doca-ofed) != "$version" ]]; then
    apt_ready doca-ofed
    offers=$(LC_ALL=C apt-cache madison doca-ofed | awk '{ print $3 }' | xargs)
    [[ " $offers " == *" $version "* ]] ||
      die "doca-ofed $version is not in ${want[repository]}; there is: ${offers:-none}." "set ofed.version to one of these."
    brought=$(apt_brings "$chosen") ||
      die "apt cannot install $chosen." "see its own words above; are the host's package sources right and reachable?"
    own[installed]=$(tr ' ' '\n' <<<"${own[installed]:-} $brought" | LC_ALL=C sort -u | xargs)
    record_write
    apt_get install --no-install-recommends --allow-downgrades --allow-change-held-packages "$chosen" >/dev/null ||
      die "apt could not install $chosen." "see its own words above, then run up again."
  fi
  # A host's upgrade must not exchange the driver under a running job.
  apt-mark hold doca-ofed >/dev/null
}

doca_ofed_drop() {
  if package_installed doca-ofed; then
    apt-mark unhold doca-ofed >/dev/null
  fi
  apt_purge_unneeded ''
  repository_drop doca-ofed
}
