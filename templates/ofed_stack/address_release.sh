# shellcheck disable=SC2154  # had, own and the functions come from the script
# Take back what an earlier apply gave to an interface: its address, unit, MTU and link state.
release_address() {
  local interface=$1 address=$2
  drop_unit "rocestack-address@$interface.service"
  unbind_device rocestack-address "$interface"
  forget_address "$interface"
  [[ -e /sys/class/net/$interface ]] || return 0
  if link_addresses "$interface" | grep -qxF "$address"; then
    ip address del "$address" dev "$interface"
  fi
  if [[ -n ${own[before_mtu]:-} ]]; then
    ip link set dev "$interface" mtu "${own[before_mtu]}"
  fi
  case ${own[before_link]:-} in
    down) ip link set dev "$interface" down ;;
    up | no-carrier) ip link set dev "$interface" up ;;
  esac
}
