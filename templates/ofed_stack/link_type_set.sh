# shellcheck disable=SC2154  # link_… are link_type_read.sh's
# Set what the data port's link will be after the next reboot; include it after link_type_read.sh.

# link_set TYPE: ETH, IB or VPI; read back, since a refusal may end well.
link_set() {
  local device said number
  case $1 in
    ETH) number=2 ;;
    IB) number=1 ;;
    VPI) number=3 ;;
    *) die "a link can be ETH, IB or VPI, not '$1'." ;;
  esac
  link_device
  device=$REPLY
  said=$("$link_tool" -y -d "$device" set "$link_key=$number" 2>&1 </dev/null) ||
    die "$link_tool cannot set $link_key of $device to $1: ${said##*$'\n'}" "is the firmware's configuration locked? See $link_tool -d $device query."
  if ! link_read; then
    die "$link_tool does not show $link_key any more: $REPLY."
  fi
  [[ $link_next == "$1" ]] || die "$link_key of $device is still $link_next after it was set to $1."
}

# link_device: the card as the tool takes it, in REPLY: as mst names it, else by its PCI address.
link_device() {
  local said line device=''
  REPLY=$link_slot
  if [[ $link_tool != mlxconfig ]] || ! command -v mst >/dev/null; then
    return
  fi
  said=$(mst start 2>&1) || die "mst did not start: ${said##*$'\n'}" "is its kernel part (mft) built for the running kernel?"
  while IFS= read -r line; do
    case $line in
      /dev/mst/*) device=${line%%[[:space:]]*} ;;
      *"domain:bus:dev.fn=$link_slot"*) REPLY=${device:-$link_slot} ;;
    esac
  done < <(mst status)
}
