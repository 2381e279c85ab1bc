# shellcheck disable=SC2154  # had, own and the functions come from the script
# soft_is_free: no program has a verbs device open; the kernel would wait for it, however long.
soft_is_free() { [[ -z $(find /proc/[0-9]*/fd -lname '/dev/infiniband/uverbs*' -print -quit 2>/dev/null) ]]; }

# Take back what an earlier apply gave to an interface: the unit, the counters and the RDMA device.
release_soft_roce() {
  local interface=$1 device=$2 said
  drop_unit "rocestack-soft-roce@$interface.service"
  unbind_device rocestack-soft-roce "$interface"
  if [[ -e /sys/class/net/$interface ]]; then
    wire_take "$interface" "${own[before_clsact]:-yes}"
  fi
  soft_device "$interface"
  if [[ $REPLY == "$device" ]]; then
    wait_for 60 soft_is_free ||
      die "the RDMA device $device is in use, so it is not removed." "end what uses it: docker ps on the host."
    said=$(rdma link delete "$device" 2>&1) ||
      die "the RDMA device $device cannot be removed: ${said##*$'\n'}" "see dmesg on the host."
  fi
  if [[ ${own[before_module]:-loaded} == absent && -d /sys/module/rdma_rxe ]] && ! modprobe -r rdma_rxe 2>/dev/null; then
    printf 'rocestack: the module rdma_rxe stays until this host reboots: something else uses it.\n' >&2
  fi
}
