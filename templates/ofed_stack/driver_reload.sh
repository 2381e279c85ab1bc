# shellcheck disable=SC2154  # want is the script's
# Have the installed driver run: by openibd, or by a reboot where that would cut the way by which the host is
# reached. Include it after card_read.sh and reboot.sh.

# on_card INTERFACE: it is a port of a Mellanox card, or is made of one (a bond, a bridge, a VLAN).
on_card() {
  local folder=${want[sysfs_root]}/class/net/$1 lower
  if [[ -r $folder/device/vendor && $(<"$folder/device/vendor") == 0x15b3 ]]; then
    return
  fi
  for lower in "$folder"/lower_*; do
    if [[ -e $lower ]] && on_card "${lower##*/lower_}"; then
      return
    fi
  done
  return 1
}

# management_on_card: the way to this host runs over such a card; REPLY is its interface.
management_on_card() {
  local ssh_address interfaces
  read -r _ _ ssh_address _ <<<"${SSH_CONNECTION:-}"
  interfaces=$({
    ip -o route show default
    ip -o -6 route show default
  } | sed -nE 's/.* dev ([^ ]+).*/\1/p')
  if [[ -n $ssh_address ]]; then
    interfaces+=$'\n'$(ip -o address show | awk -v address="$ssh_address" 'index($4, address "/") == 1 { print $2 }')
  fi
  for REPLY in $interfaces; do
    ! on_card "$REPLY" || return 0
  done
  return 1
}

# driver_reload: nothing where the installed driver runs already.
driver_reload() {
  local said hint='what does the kernel say of the driver? See dmesg and dkms status on the host.'
  if driver_is_current "${want[flavour]}"; then
    reboot_forget
    return
  fi
  [[ $driver_installed != absent ]] ||
    die "there is no mlx5_core for the running kernel, $(uname -r)." "was it built? See dkms status on the host."
  if management_on_card; then
    reboot_for "this host is reached over $REPLY, a port of the card whose driver has to be loaded anew" "$hint"
    return
  fi
  if [[ ! -x /etc/init.d/openibd ]]; then
    reboot_for 'the driver that runs is no longer the installed one' "$hint"
    return
  fi
  # A unit that never ran would only be started, with the old modules still in.
  if said=$(/etc/init.d/openibd restart 2>&1) && driver_is_current "${want[flavour]}"; then
    reboot_forget
  else
    # Something else uses the old modules, such as storage over RDMA.
    printf '%s\n' "$said" | tail -n 5 >&2
    reboot_for "openibd could not exchange driver $driver_loaded for $driver_installed" "$hint"
  fi
}
