# shellcheck disable=SC2034,SC2154  # the script sets want; the answers are for the script
# Read the NIC's QoS state. `want` names the interface, the root of the kernel's files, the RoCE priority and
# the DSCPs; the answers go to `nic`, in the form of the settings. What cannot be read has no answer there, but
# a reason in `nic_missing`.
declare -A nic=() nic_file=() nic_missing=()
nic_device='' nic_port=1
qos_keys=(trust dcbx pause dscp2prio pfc prio_tc tsa tcbw traffic_class cma_roce_mode cma_roce_tos
  cnp_dscp cnp_802p_prio ecn_priority tcp_ecn)

# The RDMA device and port of the interface, by the kernel's own links, or else as OFED's tool says it.
nic_find() {
  local interface=${want[interface]} root=${want[sysfs_root]} device port line
  nic_device='' nic_port=1
  for device in "$root/class/net/$interface/device/infiniband/"*; do
    if [[ -e $device ]]; then
      nic_device=${device##*/}
      if [[ -r $root/class/net/$interface/dev_port ]]; then
        port=$(<"$root/class/net/$interface/dev_port")
        nic_port=$((port + 1))
      fi
      return
    fi
  done
  # A device without hardware has no such link; the port's GID table names its interface.
  for device in "$root/class/infiniband/"*/ports/*/gid_attrs/ndevs/0; do
    if [[ -e $device && $(cat "$device" 2>/dev/null) == "$interface" ]]; then
      port=${device%/gid_attrs/*}
      nic_port=${port##*/}
      nic_device=${port%/ports/*}
      nic_device=${nic_device##*/}
      return
    fi
  done
  command -v ibdev2netdev >/dev/null || return 0
  while IFS= read -r line; do
    if [[ $line =~ ^([^ ]+)\ port\ ([0-9]+)\ ==\>\ ([^ ]+)\ \( && ${BASH_REMATCH[3]} == "$interface" ]]; then
      nic_device=${BASH_REMATCH[1]} nic_port=${BASH_REMATCH[2]}
    fi
  done < <(ibdev2netdev)
}

# The names below are the kernel's; only the root of the tree is a setting.
nic_files() {
  local interface=${want[interface]} root=${want[sysfs_root]} slot counters
  nic_file=(
    [cnp_dscp]=$root/class/net/$interface/ecn/roce_np/cnp_dscp
    [cnp_802p_prio]=$root/class/net/$interface/ecn/roce_np/cnp_802p_prio
    [rp_enable]=$root/class/net/$interface/ecn/roce_rp/enable/${want[ecn_priority]}
    [np_enable]=$root/class/net/$interface/ecn/roce_np/enable/${want[ecn_priority]}
    [tcp_ecn]=/proc/sys/net/ipv4/tcp_ecn
  )
  if [[ -n $nic_device ]]; then
    nic_file[traffic_class]=$root/class/infiniband/$nic_device/tc/$nic_port/traffic_class
  fi
  # The distribution's driver keeps the notification point's marks among its debugging files.
  if [[ ! -e ${nic_file[cnp_dscp]} ]]; then
    slot=$(readlink -f "$root/class/net/$interface/device" || true)
    counters=$root/kernel/debug/mlx5/${slot##*/}/cc_params
    if [[ -e $counters/np_cnp_dscp ]]; then
      nic_file[cnp_dscp]=$counters/np_cnp_dscp
      nic_file[cnp_802p_prio]=$counters/np_cnp_prio
    fi
  fi
}

# nic_without REASON KEY…: these have no answer, for this reason.
nic_without() {
  local key reason=$1
  shift
  for key in "$@"; do
    unset "nic[$key]"
    nic_missing[$key]=$reason
  done
}

# nic_read_pause: global pause, as `ethtool -a` has it: off, rx, tx or on (both).
nic_read_pause() {
  local said words line rx='' tx=''
  command -v ethtool >/dev/null || {
    nic_without 'there is no ethtool' pause
    return
  }
  said=$(ethtool -a "${want[interface]}" 2>&1) || true # some cards answer, and then fail
  while IFS= read -r line; do
    read -ra words <<<"$line"
    case $line in
      RX:*) rx=${words[1]:-} ;;
      TX:*) tx=${words[1]:-} ;;
    esac
  done <<<"$said"
  case $rx,$tx in
    off,off) nic[pause]=off ;;
    on,off) nic[pause]=rx ;;
    off,on) nic[pause]=tx ;;
    on,on) nic[pause]=on ;;
    *) nic_without "ethtool -a says: ${said##*$'\n'}" pause ;;
  esac
}

# join WORD…: the words with commas between them, in REPLY.
join() {
  local IFS=,
  REPLY="$*"
}

# nic_read_mlnx_qos: the form of mlnx_qos 1.2, the tool of MLNX_OFED and DOCA-OFED.
nic_read_mlnx_qos() {
  local said line words tc='' priority dscp map=() classes=() algorithms=() shares=()
  local keys=(dcbx trust dscp2prio pfc prio_tc tsa tcbw)
  said=$(mlnx_qos -i "${want[interface]}" -a 2>&1) || {
    nic_without "mlnx_qos says: ${said##*$'\n'}" "${keys[@]}"
    return
  }
  nic_without 'mlnx_qos does not show it' "${keys[@]}"
  while IFS= read -r line; do
    read -ra words <<<"$line"
    case $line in
      'DCBX mode: OS controlled'*) nic[dcbx]=os ;;
      'DCBX mode: Firmware controlled'*) nic[dcbx]=fw ;;
      'Priority trust state: '*) nic[trust]=${words[3]} ;;
      [[:space:]]*prio:*dscp:*)
        priority=${words[0]#prio:}
        for dscp in ${words[1]//[a-z:,]/ }; do
          map[10#$dscp]=$priority
        done
        ;;
      [[:space:]]*enabled[[:space:]]*)
        join "${words[@]:1:8}"
        nic[pfc]=$REPLY
        ;;
      'tc: '*)
        tc=${words[1]}
        algorithms[tc]=${line##*tsa: }
        algorithms[tc]=${algorithms[tc]%%,*}
        shares[tc]=0
        if [[ $line == *'bw: '* ]]; then
          shares[tc]=${line##*bw: }
          shares[tc]=${shares[tc]%\%*}
        fi
        ;;
      [[:space:]]*'priority: '*) classes[words[1]]=$tc ;;
    esac
  done <<<"$said"
  nic_maps
}

# nic_read_dcb: the form of iproute2's dcb, for the distribution's own driver. DSCP is trusted as soon as the
# kernel has a priority for any DSCP.
nic_read_dcb() {
  local said line word words key map=() classes=() algorithms=() shares=() bits=()
  local keys=(dcbx trust dscp2prio pfc prio_tc tsa tcbw) interface=${want[interface]}
  said=$({ dcb dcbx show dev "$interface" && dcb pfc show dev "$interface" && dcb ets show dev "$interface" &&
    dcb -N app show dev "$interface"; } 2>&1) || {
    said=$(dcb pfc show dev "$interface" 2>&1) || true
    nic_without "dcb says: ${said##*$'\n'}" "${keys[@]}"
    return
  }
  nic[dcbx]=fw nic[trust]=pcp
  while IFS= read -r line; do
    read -ra words <<<"$line"
    key=${words[0]:-}
    for word in "${words[@]:1}"; do
      case $key in
        prio-pfc)
          bits[${word%:*}]=0
          if [[ ${word#*:} == on ]]; then
            bits[${word%:*}]=1
          fi
          ;;
        tc-tsa) algorithms[${word%:*}]=${word#*:} ;;
        tc-bw) shares[${word%:*}]=${word#*:} ;;
        prio-tc) classes[${word%:*}]=${word#*:} ;;
        dscp-prio)
          map[${word%:*}]=${word#*:}
          nic[trust]=dscp
          ;;
      esac
    done
    if [[ " $line " == *' host '* && " $line " == *' ieee '* ]]; then
      nic[dcbx]=os
    fi
  done <<<"$said"
  join "${bits[@]}"
  nic[pfc]=$REPLY
  nic_maps
}

# nic_maps: the answers that are lists, out of the caller's arrays.
nic_maps() {
  local entry found=()
  if [[ -n ${classes[*]} ]]; then
    join "${classes[@]}"
    nic[prio_tc]=$REPLY
  fi
  if [[ -n ${algorithms[*]} ]]; then
    join "${algorithms[@]}"
    nic[tsa]=$REPLY
    join "${shares[@]}"
    nic[tcbw]=$REPLY
  fi
  # Of the DSCPs' priorities only those of the profile count.
  for entry in ${want[dscp2prio]//,/ }; do
    found+=("${entry%:*}:${map[${entry%:*}]:-none}")
  done
  join "${found[@]}"
  nic[dscp2prio]=$REPLY
}

nic_read_file() {
  local key=$1 value
  if [[ ! -r ${nic_file[$key]:-} ]]; then
    nic_without "this driver has no file ${nic_file[$key]:-for it}" "$key"
    return
  fi
  value=$(<"${nic_file[$key]}")
  # An OFED traffic_class file reads "Global tclass=106", more lines for rules, or nothing when unset.
  value=${value%%$'\n'*}
  nic[$key]=${value##*=}
}

# The defaults of RDMA-CM's connections: by OFED's tool, or by the kernel's own configuration files.
nic_read_cma() {
  local key value file=${want[sysfs_root]}/kernel/config/rdma_cm/$nic_device/ports/$nic_port
  for key in cma_roce_mode cma_roce_tos; do
    if [[ -z $nic_device ]]; then
      nic_without "${want[interface]} has no RDMA device" "$key"
    elif command -v "$key" >/dev/null; then
      if value=$("$key" -d "$nic_device" -p "$nic_port" 2>&1); then
        nic[$key]=${value##*$'\n'}
      else
        nic_without "$key says: ${value##*$'\n'}" "$key"
      fi
    elif [[ -r $file/${key/cma/default} ]]; then
      nic[$key]=$(<"$file/${key/cma/default}")
    else
      nic_without "there is no $key, and RDMA-CM is not configured" "$key"
    fi
  done
}

nic_read() {
  local key
  nic=() nic_missing=()
  nic_find
  nic_files
  nic_read_pause
  if command -v mlnx_qos >/dev/null; then
    nic_read_mlnx_qos
  elif command -v dcb >/dev/null; then
    nic_read_dcb
  else
    nic_without 'there is neither mlnx_qos nor dcb' dcbx trust dscp2prio pfc prio_tc tsa tcbw
  fi
  for key in traffic_class "${!nic_file[@]}"; do
    nic_read_file "$key"
  done
  if [[ -v nic[traffic_class] && ${nic[traffic_class]:--1} == -1 ]]; then
    nic[traffic_class]='unset'
  fi
  nic_read_cma
  # Notification and reaction points must both be on, for the one priority.
  if [[ -v nic[rp_enable] && -v nic[np_enable] ]]; then
    nic[ecn_priority]='none'
    if [[ ${nic[rp_enable]}${nic[np_enable]} == 11 ]]; then
      nic[ecn_priority]=${want[ecn_priority]}
    fi
  else
    nic_missing[ecn_priority]=${nic_missing[rp_enable]:-${nic_missing[np_enable]:-}}
  fi
}
