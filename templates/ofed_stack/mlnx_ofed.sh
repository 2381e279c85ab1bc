# shellcheck disable=SC2154  # want and own are the script's, REPLY is fetch's
# MLNX_OFED: the vendor's image and the installer on it (guide: "Installation Mellanox OFED for Ubuntu").

# mlnx_ofed_have: have the wanted release, by its own installer; nothing is fetched where it is there.
mlnx_ofed_have() {
  local status=0 said flags
  need source sha256 md5 flags
  ofed_read
  [[ $ofed_flavour != mlnx_ofed || $ofed_version != "${want[version]}" ]] || return 0
  fetch "${want[source]}" "${want[sha256]}" "${want[md5]}"
  iso_open "$REPLY"
  [[ -x $iso_folder/mlnxofedinstall ]] || die "${want[source]} has no mlnxofedinstall." "ofed.iso must be an image of MLNX_OFED."
  read -ra flags <<<"${want[flags]}"
  # It asks before it removes another release; -q is its "yes".
  said=$("$iso_folder/mlnxofedinstall" -q "${flags[@]}" </dev/null 2>&1) || status=$?
  iso_close
  [[ $status -eq 0 ]] || mlnx_ofed_failed "$status" "$said"
  ofed_read
  [[ $ofed_flavour == mlnx_ofed && $ofed_version == "${want[version]}" ]] ||
    die "${want[source]} brought ${ofed_flavour} ${ofed_version}, not MLNX_OFED ${want[version]}." "ofed.version must be the image's."
}

# mlnx_ofed_failed STATUS SAID: what the installer's return code means (its manual, "Return Codes").
mlnx_ofed_failed() {
  local what hint
  printf '%s\n' "$2" | tail -n 15 >&2
  case $1 in
    2)
      what='it has no firmware for this card'
      hint='set ofed.flags to leave firmware alone: --without-fw-update.'
      ;;
    22)
      what="it does not take one of these parameters: ${want[flags]:-none}"
      hint='correct ofed.flags.'
      ;;
    28)
      what='there is no space left on this host'
      hint='see df -h /tmp /var, or give it another place: ofed.flags --tmpdir=/PATH.'
      ;;
    171)
      what='it is not for this machine'
      hint='has the card the device of this release, and is the image for this distribution?'
      ;;
    172)
      what='packages that it needs are missing'
      hint='its own words above name them.'
      ;;
    173)
      what='mst did not start'
      hint='is there another version of the firmware tools (mft) on this host?'
      ;;
    *)
      what="it ended with status $1"
      hint='its own words above name its log.'
      ;;
  esac
  die "mlnxofedinstall did not install MLNX_OFED ${want[version]}: $what." "$hint"
}

mlnx_ofed_drop() {
  local said
  if command -v ofed_uninstall.sh >/dev/null; then
    said=$(ofed_uninstall.sh --force </dev/null 2>&1) || {
      printf '%s\n' "$said" | tail -n 15 >&2
      die "ofed_uninstall.sh could not remove MLNX_OFED." "see its own words above, then run the same command again."
    }
  fi
  fetch_forget "${had[sha256]:-}"
}
