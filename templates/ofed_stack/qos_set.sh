# shellcheck disable=SC2154  # the script includes qos_read.sh
# Bring the NIC's QoS to the values in `want`; what is already so is not written again.
qos_keys=(trust pfc traffic_class cma_roce_tos cnp_dscp ecn_priority tcp_ecn)

nic_write() {
  local key=$1 value=$2
  [[ -v nic[$key] && ${nic[$key]} != "$value" ]] || return 0
  printf '%s\n' "$value" >"${nic_file[$key]}" ||
    die "${nic_file[$key]} does not take $value." "does this NIC's driver support ${key}? see dmesg."
}

nic_mlnx_qos() {
  local key=$1 said
  [[ ${nic[$key]} != "${want[$key]}" ]] || return 0
  said=$(mlnx_qos -i "${want[interface]}" "--$key" "${want[$key]}" 2>&1) ||
    die "mlnx_qos cannot set $key to ${want[$key]} on ${want[interface]}: ${said##*$'\n'}"
}

# The tool shows the value after it set it; it ends well even if the kernel refused.
nic_cma() {
  local said
  [[ -v nic[cma_roce_tos] && -v want[cma_roce_tos] && ${nic[cma_roce_tos]} != "${want[cma_roce_tos]}" ]] || return 0
  said=$(cma_roce_tos -d "$nic_device" -p 1 -t "${want[cma_roce_tos]}" 2>&1) ||
    die "cma_roce_tos cannot set ${want[cma_roce_tos]} on $nic_device: ${said##*$'\n'}"
}

qos_set() {
  local key
  command -v mlnx_qos >/dev/null ||
    die "there is no mlnx_qos on this host." "it comes with MLNX_OFED or DOCA-OFED (package mlnx-tools)."
  nic_read || die "the QoS of ${want[interface]} cannot be read, see above." "is ${want[interface]} a Mellanox interface, with its driver loaded?"
  nic_mlnx_qos trust
  nic_mlnx_qos pfc
  nic_write traffic_class "${want[traffic_class]/unset/-1}"
  nic_cma
  nic_write cnp_dscp "${want[cnp_dscp]}"
  nic_write rp_enable "${want[rp_enable]:-1}"
  nic_write np_enable "${want[np_enable]:-1}"
  nic_write tcp_ecn "${want[tcp_ecn]}"
}

qos_differs=''
qos_matches() {
  local key
  qos_differs=''
  nic_read || return 1
  for key in "${qos_keys[@]}"; do
    if [[ -v want[$key] && ${nic[$key]:-} != "${want[$key]}" && ($key != cma_roce_tos || -v nic[$key]) ]]; then
      qos_differs=$key
      return 1
    fi
  done
}

# Read everything back: a setting that did not take, or that the driver does not offer, is an error.
qos_verify() {
  local key
  if ! wait_for 3 qos_matches; then
    key=$qos_differs
    [[ -n $key ]] || die "the QoS of ${want[interface]} cannot be read back, see above."
    [[ -v nic[$key] ]] ||
      die "the driver of ${want[interface]} has no $key setting under ${want[sysfs_root]}." "packets cannot be marked without it: install MLNX_OFED or DOCA-OFED."
    die "$key of ${want[interface]} is ${nic[$key]} after it was set to ${want[$key]}." "does another service set it too, such as lldpad?"
  fi
  if [[ -v want[cma_roce_tos] && ! -v nic[cma_roce_tos] ]]; then
    printf 'rocestack: no RDMA-CM here, so its default ToS is not set; nothing could use it.\n' >&2
  fi
}
