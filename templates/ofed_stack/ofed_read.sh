# Which RDMA stack this host has: MLNX_OFED and DOCA-OFED say it themselves, everything else is the distribution's.

# ofed_read: sets ofed_flavour and ofed_version (none for the distribution's).
# shellcheck disable=SC2034  # the answers are for the script
ofed_read() {
  local said
  ofed_flavour=inbox ofed_version=none
  command -v ofed_info >/dev/null || return 0
  said=$(ofed_info -s) || return 0
  case $said in
    MLNX_OFED_LINUX-*)
      ofed_flavour=mlnx_ofed
      ofed_version=${said#MLNX_OFED_LINUX-}
      ofed_version=${ofed_version%%:*}
      ;;
    OFED-internal-*)
      ofed_flavour=doca_ofed
      # What apt installed is what the stack names; a host without that package has its parts alone.
      ofed_version=$(dpkg-query -W -f '${Version}' doca-ofed 2>/dev/null) || ofed_version="parts of ${said%%:*}"
      ;;
  esac
}
