# shellcheck disable=SC2034,SC2154  # the script sets want; the answers are for the script
# Read the NIC's QoS state. `want` names the interface and sysfs_root; the answers go to the array `nic`,
# in the form of the settings. A file that the driver does not offer leaves its key out.
declare -A nic=() nic_file=()
nic_device=''

# The names below are the kernel's; only the root of the tree is a setting.
nic_files() {
  local interface=${want[interface]} root=${want[sysfs_root]} device
  nic_device=''
  for device in "$root/class/net/$interface/device/infiniband/"*; do
    if [[ -e $device ]]; then
      nic_device=${device##*/}
      break
    fi
  done
  nic_file=(
    [cnp_dscp]=$root/class/net/$interface/ecn/roce_np/cnp_dscp
    [rp_enable]=$root/class/net/$interface/ecn/roce_rp/enable/${want[ecn_priority]}
    [np_enable]=$root/class/net/$interface/ecn/roce_np/enable/${want[ecn_priority]}
    [tcp_ecn]=/proc/sys/net/ipv4/tcp_ecn
  )
  if [[ -n $nic_device ]]; then
    nic_file[traffic_class]=$root/class/infiniband/$nic_device/tc/1/traffic_class
  fi
}

# mlnx_qos prints the PFC bits as a table row; the row `enabled` is the one in use.
nic_read_qos() {
  local said line words
  said=$(mlnx_qos -i "${want[interface]}") || {
    printf 'mlnx_qos cannot read %s: %s\n' "${want[interface]}" "${said##*$'\n'}" >&2
    return 1
  }
  while IFS= read -r line; do
    read -ra words <<<"$line"
    case $line in
      'Priority trust state: '*) nic[trust]=${words[3]} ;;
      [[:space:]]*enabled[[:space:]]*)
        if [[ -z ${nic[pfc]:-} ]]; then
          printf -v line '%s,' "${words[@]:1:8}"
          nic[pfc]=${line%,}
        fi
        ;;
    esac
  done <<<"$said"
  [[ -n ${nic[trust]:-} && -n ${nic[pfc]:-} ]] || {
    printf 'mlnx_qos said nothing of trust and PFC for %s\n' "${want[interface]}" >&2
    return 1
  }
}

nic_read() {
  local key value
  nic=()
  nic_read_qos || return 1
  nic_files
  for key in "${!nic_file[@]}"; do
    if [[ -r ${nic_file[$key]} ]]; then
      value=$(<"${nic_file[$key]}")
      # An OFED traffic_class file reads "Global tclass=106", more lines for rules, or nothing when unset.
      value=${value%%$'\n'*}
      nic[$key]=${value##*=}
    fi
  done
  if [[ -v nic[traffic_class] && ${nic[traffic_class]:--1} == -1 ]]; then
    nic[traffic_class]='unset'
  fi
  # The default ToS of RDMA-CM connections; the tool comes with OFED, and without rdma_cm it has no answer.
  if [[ -n $nic_device ]] && command -v cma_roce_tos >/dev/null && value=$(cma_roce_tos -d "$nic_device" -p 1 2>&1); then
    nic[cma_roce_tos]=$value
  fi
  # Notification and reaction points must both be on, for the one priority.
  if [[ -v nic[rp_enable] && -v nic[np_enable] ]]; then
    nic[ecn_priority]='none'
    if [[ ${nic[rp_enable]}${nic[np_enable]} == 11 ]]; then
      nic[ecn_priority]=${want[ecn_priority]}
    fi
  fi
}
