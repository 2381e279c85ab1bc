# shellcheck disable=SC2154  # the script includes soft_roce_read.sh and wire_read.sh
# Have the kernel's own RDMA device over the data interface, and have its packets counted.

soft_load() {
  local module said
  # rdma_ucm brings RDMA-CM, whose defaults ofed_stack.qos sets.
  for module in rdma_rxe ib_uverbs rdma_ucm; do
    said=$(modprobe "$module" 2>&1) ||
      die "the kernel $(uname -r) has no module $module: ${said##*$'\n'}" "soft RoCE needs a whole kernel of the distribution's, not one for the cloud."
  done
}

soft_have() {
  local interface=${want[interface]} device=${want[device]} said
  soft_device "$interface"
  [[ $REPLY != "$device" ]] || return 0
  [[ -z $REPLY ]] || die "$interface has the RDMA device $REPLY already, which is not ours." "rdma link delete $REPLY on the host, or another network.data_interface."
  [[ ! -e ${want[sysfs_root]}/class/infiniband/$device ]] || die "this host has an RDMA device $device already, over another interface." "see rdma link on the host."
  said=$(rdma link add "$device" type rxe netdev "$interface" 2>&1) ||
    die "the kernel makes no RDMA device over $interface: ${said##*$'\n'}" "see dmesg on the host."
}

gid_is_there() {
  soft_gid "${want[device]}" "${want[address]}"
  [[ $REPLY == "${want[gid]}" ]]
}

# wire_tc WORD…: one command of tc's.
wire_tc() {
  local said
  said=$(tc "$@" 2>&1) || die "tc $* says: ${said##*$'\n'}" "are the kernel's modules cls_flower and act_gact there?"
}

# wire_place INTERFACE: the interface has a place for filters of both directions.
wire_place() { [[ $(tc qdisc show dev "$1") == *'qdisc clsact '* ]]; }

# wire_put INTERFACE DSCP: have the filters; those that are right keep what they counted.
wire_put() {
  local interface=$1 way found row number protocol port tos action
  wire_place "$interface" || wire_tc qdisc add dev "$interface" clsact
  for way in "${wire_ways[@]}"; do
    found=$(wire_found "$interface" "$way")
    while read -r row; do
      if grep -qxF "$row" <<<"$found"; then
        continue
      fi
      read -r number protocol port tos action <<<"$row"
      if grep -q "^$number " <<<"$found"; then
        wire_tc filter del dev "$interface" "$way" pref "$number"
      fi
      local match=()
      [[ $tos == none ]] || match=(ip_tos "$tos")
      wire_tc filter add dev "$interface" "$way" pref "$number" protocol "$protocol" \
        flower ip_proto udp dst_port "$port" "${match[@]}" action "$action"
    done < <(wire_rows "$2")
  done
}

# wire_take INTERFACE: have none of them; their place goes with the last filter, unless it was there before (yes or no).
wire_take() {
  local interface=$1 way number protocol
  wire_place "$interface" || return 0
  for way in "${wire_ways[@]}"; do
    while read -r number _; do
      wire_tc filter del dev "$interface" "$way" pref "$number"
    done < <(wire_found "$interface" "$way")
  done
  if [[ $2 == no && -z $(tc filter show dev "$interface" ingress)$(tc filter show dev "$interface" egress) ]]; then
    wire_tc qdisc del dev "$interface" clsact
  fi
}

soft_roce_set() {
  soft_load
  soft_have
  wire_put "${want[interface]}" "${want[counted_dscp]}"
  # The table follows the interface's addresses a moment later.
  wait_for 20 gid_is_there ||
    die "${want[device]} has no ${want[gid]} GID of ${want[address]}: $REPLY." "has ${want[interface]} that address, and is its link up?"
  wire_counts "${want[interface]}" "${want[counted_dscp]}" ||
    die "the filters that count on ${want[interface]} are not as they were made." "see tc filter show dev ${want[interface]} ingress, and egress."
}
