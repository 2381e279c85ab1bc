# shellcheck disable=SC2154  # had, own and the functions come from the script
# drop_address INTERFACE ADDRESS: the interface has no such address. The host's own tool for its network may take it
# away in the meantime.
drop_address() {
  local said
  link_addresses "$1" | grep -qxF "$2" || return 0
  said=$(ip address del "$2" dev "$1" 2>&1) && return 0
  if link_addresses "$1" | grep -qxF "$2"; then
    die "the address $2 could not be taken from $1: ${said##*$'\n'}"
  fi
}

# Take back what an earlier apply gave to an interface: its address, unit, MTU and link state.
release_address() {
  local interface=$1 address=$2
  drop_unit "rocestack-address@$interface.service"
  unbind_device rocestack-address "$interface"
  forget_address "$interface"
  [[ -e /sys/class/net/$interface ]] || return 0
  drop_address "$interface" "$address"
  if [[ -n ${own[before_mtu]:-} ]]; then
    ip link set dev "$interface" mtu "${own[before_mtu]}"
  fi
  case ${own[before_link]:-} in
    down) ip link set dev "$interface" down ;;
    up | no-carrier) ip link set dev "$interface" up ;;
  esac
}
