# What counts the RoCE packets of an interface, in both directions: six filters of the kernel's packet classifier each.
# A filter counts and lets the packet go on to the next one, so nothing else on the interface is changed by them.
# RoCE v2 is UDP to port 4791; of its ToS byte the six high bits are the DSCP, and the two low ones may change on the way.
wire_ways=(ingress egress)

# wire_rows DSCP: the filters, one a line: number, protocol, UDP port, ToS/mask (none: any), what becomes of the packet.
wire_rows() {
  local protocol number=47911
  for protocol in ip ipv6; do
    printf '%s %s 4791 %s/0xfc continue\n' "$number" "$protocol" "$(($1 << 2))"
    printf '%s %s 4791 0/0xfc continue\n' "$((number + 1))" "$protocol"
    printf '%s %s 4791 none continue\n' "$((number + 2))" "$protocol"
    number=$((number + 3))
  done
}

# wire_found INTERFACE WAY: the filters of those numbers that are there, in the same form. tc prints a ToS as a decimal
# or a hexadecimal number, by its version.
wire_found() {
  local row tos mask
  tc filter show dev "$1" "$2" | awk '
    function told() {
      if (ours && handle) print pref, protocol, port, tos, action
      handle = 0
    }
    $1 == "filter" {
      told()
      port = tos = action = "none"
      for (i = 2; i < NF; i++) {
        if ($i == "protocol") protocol = $(i + 1)
        if ($i == "pref") pref = $(i + 1)
        if ($i == "handle") handle = 1
      }
      ours = pref >= 47911 && pref <= 47916
    }
    $1 == "dst_port" { port = $2 }
    $1 == "ip_tos" { tos = $2 }
    $1 == "action" { action = $NF }
    END { told() }' | LC_ALL=C sort | while read -r -a row; do
    if [[ ${row[3]} != none ]]; then
      tos=${row[3]%/*} mask=${row[3]#*/}
      printf -v 'row[3]' '%d/0x%x' "$tos" "0x${mask#0x}"
    fi
    printf '%s\n' "${row[*]}"
  done
}

# wire_counts INTERFACE DSCP: each direction counts it, and everything beside it.
wire_counts() {
  local way
  for way in "${wire_ways[@]}"; do
    [[ $(wire_found "$1" "$way") == "$(wire_rows "$2")" ]] || return 1
  done
}
