# shellcheck disable=SC2154  # the script includes qos_read.sh
# Bring the NIC's QoS to the values in `want`; what is already so is not written again. A setting that this NIC
# cannot show is an error, unless the stack allows it.

# qos_due KEY: KEY is wanted, can be made and is not yet so.
qos_due() { [[ -v want[$1] && -v nic[$1] && ${nic[$1]} != "${want[$1]}" ]]; }

qos_allowed() { [[ " ${want[allow_unobservable]:-} " == *" $1 "* ]]; }

nic_write() {
  local key=$1 value=$2
  [[ -v nic[$key] && ${nic[$key]} != "$value" ]] || return 0
  printf '%s\n' "$value" >"${nic_file[$key]}" ||
    die "${nic_file[$key]} does not take $value." "does this NIC's driver support ${key}? see dmesg."
}

# nic_tool WHAT COMMAND…: run a tool; what it says is shown when it fails.
nic_tool() {
  local what=$1 said
  shift
  said=$("$@" 2>&1) || die "$1 cannot set $what on ${want[interface]}: ${said##*$'\n'}"
}

# Some cards answer with an error although they did it, so what counts is what can be read back.
nic_set_pause() {
  local rx=off tx=off
  qos_due pause || return 0
  case ${want[pause]} in
    rx) rx=on ;;
    tx) tx=on ;;
    on) rx=on tx=on ;;
  esac
  ethtool -A "${want[interface]}" rx "$rx" tx "$tx" >/dev/null 2>&1 || return 0
}

# The kernel takes DSCP trust and the rest only while the operating system controls DCBX.
nic_set_mlnx_qos() {
  local entry key interface=${want[interface]}
  if qos_due dcbx; then
    nic_tool "dcbx to ${want[dcbx]}" mlnx_qos -i "$interface" -d "${want[dcbx]}"
  fi
  for key in trust pfc; do
    if qos_due "$key"; then
      nic_tool "$key to ${want[$key]}" mlnx_qos -i "$interface" "--$key" "${want[$key]}"
    fi
  done
  if [[ ${want[trust]} == dscp ]]; then
    for entry in ${want[dscp2prio]//,/ }; do
      if [[ ${entry#*:} != none && ,${nic[dscp2prio]:-}, != *,"$entry",* && -v nic[dscp2prio] ]]; then
        nic_tool "the priority of DSCP ${entry%:*} to ${entry#*:}" \
          mlnx_qos -i "$interface" --dscp2prio "set,${entry/:/,}"
      fi
    done
  fi
  if qos_due prio_tc || qos_due tsa || qos_due tcbw; then
    nic_tool "ETS to ${want[tsa]}" mlnx_qos -i "$interface" \
      --prio_tc "${want[prio_tc]}" --tsa "${want[tsa]}" --tcbw "${want[tcbw]}"
  fi
}

# numbered LIST [0=WORD 1=WORD]: the list's items, each after its number, as dcb takes them, in REPLY_LIST.
numbered() {
  local number=0 item
  REPLY_LIST=()
  for item in ${1//,/ }; do
    REPLY_LIST+=("$number:$item")
    number=$((number + 1))
  done
}

nic_set_dcb() {
  local dscp pairs=() interface=${want[interface]} bits
  if qos_due dcbx && [[ ${want[dcbx]} == os ]]; then
    nic_tool 'DCBX to host' dcb dcbx set dev "$interface" host ieee
  fi
  if [[ ${want[trust]} == pcp ]]; then
    if qos_due trust; then
      nic_tool 'trust to pcp' dcb app flush dev "$interface" dscp-prio
    fi
  elif qos_due trust || qos_due dscp2prio; then
    # As the firmware's own map: the upper three bits of a DSCP are its priority.
    for dscp in {0..63}; do
      pairs+=("$dscp:$((dscp >> 3))")
    done
    nic_tool 'trust to dscp' dcb app replace dev "$interface" dscp-prio "${pairs[@]}"
  fi
  if qos_due pfc; then
    bits=${want[pfc]//1/on}
    numbered "${bits//0/off}"
    nic_tool "pfc to ${want[pfc]}" dcb pfc set dev "$interface" prio-pfc "${REPLY_LIST[@]}"
  fi
  if qos_due prio_tc || qos_due tsa || qos_due tcbw; then
    numbered "${want[prio_tc]}"
    pairs=(prio-tc "${REPLY_LIST[@]}")
    numbered "${want[tsa]}"
    pairs+=(tc-tsa "${REPLY_LIST[@]}")
    numbered "${want[tcbw]}"
    pairs+=(tc-bw "${REPLY_LIST[@]}")
    nic_tool "ETS to ${want[tsa]}" dcb ets set dev "$interface" "${pairs[@]}"
  fi
}

# The tool shows the value after it set it; it ends well even if the kernel refused.
nic_set_cma() {
  local key value file=${want[sysfs_root]}/kernel/config/rdma_cm/$nic_device/ports/$nic_port
  for key in cma_roce_mode cma_roce_tos; do
    qos_due "$key" || continue
    if ! command -v "$key" >/dev/null; then
      printf '%s\n' "${want[$key]}" >"$file/${key/cma/default}" || die "RDMA-CM does not take $key ${want[$key]}."
    elif [[ $key == cma_roce_tos ]]; then
      nic_tool "ToS ${want[$key]}" "$key" -d "$nic_device" -p "$nic_port" -t "${want[$key]}"
    else
      value=2
      if [[ ${want[$key]} != 'RoCE v2' ]]; then
        value=1
      fi
      nic_tool "${want[$key]}" "$key" -d "$nic_device" -p "$nic_port" -m "$value"
    fi
  done
}

# RDMA-CM has configuration files for a device only once it is loaded and the device's folder was made.
cma_open() {
  local root=${want[sysfs_root]}/kernel/config
  if [[ -z $nic_device ]] || command -v cma_roce_tos >/dev/null; then
    return
  fi
  if [[ ! -d $root/rdma_cm ]] && ! modprobe rdma_cm >/dev/null 2>&1; then
    return
  fi
  if [[ -d $root/rdma_cm && ! -d $root/rdma_cm/$nic_device ]]; then
    mkdir "$root/rdma_cm/$nic_device" || die "RDMA-CM does not know $nic_device." "see dmesg."
  fi
}

# cma_is_open: that folder is there.
cma_is_open() { [[ -n $nic_device && -d ${want[sysfs_root]}/kernel/config/rdma_cm/$nic_device ]]; }

# Its files go with the folder; what they said stays in force, so it is set back before.
cma_close() {
  local folder=${want[sysfs_root]}/kernel/config/rdma_cm/$nic_device
  rmdir "$folder" || die "$folder cannot be removed." "see dmesg."
}

qos_set() {
  nic_find
  cma_open
  nic_read
  nic_set_pause
  if command -v mlnx_qos >/dev/null; then
    nic_set_mlnx_qos
  elif command -v dcb >/dev/null; then
    nic_set_dcb
  fi
  nic_write traffic_class "${want[traffic_class]/unset/-1}"
  nic_set_cma
  nic_write cnp_dscp "${want[cnp_dscp]}"
  nic_write cnp_802p_prio "${want[cnp_802p_prio]}"
  nic_write rp_enable "${want[rp_enable]:-1}"
  nic_write np_enable "${want[np_enable]:-1}"
  nic_write tcp_ecn "${want[tcp_ecn]}"
}

qos_differs=''
qos_matches() {
  local key
  qos_differs=''
  nic_read
  for key in "${qos_keys[@]}"; do
    if qos_due "$key"; then
      qos_differs=$key
      return 1
    fi
  done
}

# Read everything back: a setting that did not take, or that cannot be made here, is an error.
qos_verify() {
  local key missing=()
  if ! wait_for 3 qos_matches; then
    key=$qos_differs
    die "$key of ${want[interface]} is ${nic[$key]} after it was set to ${want[$key]}." "does another service set it too, such as lldpad?"
  fi
  for key in "${qos_keys[@]}"; do
    [[ ! -v nic[$key] ]] || continue
    if qos_allowed "$key"; then
      printf 'rocestack: %s of %s is unobservable, as the stack allows: %s\n' "$key" "${want[interface]}" "${nic_missing[$key]}" >&2
    else
      missing+=("$key (${nic_missing[$key]})")
    fi
  done
  [[ -z ${missing[*]} ]] ||
    die "${want[interface]} cannot be made lossless here; without an answer: ${missing[*]}." \
      "install MLNX_OFED or DOCA-OFED, or list what this cluster can do without in ofed.allow_unobservable."
}
