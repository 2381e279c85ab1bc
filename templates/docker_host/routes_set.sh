# shellcheck disable=SC2154  # the script sets want
# The routes to the other hosts' container subnets, and the firewall's consent.
#
# All that is ours can be told apart on the host itself: routes by their protocol number, rules by their own
# chain, ROCESTACK, in the tables filter, nat and raw.
route_protocol=114

# routes_ours: our routes, one a line: SUBNET via NEXT_HOP dev INTERFACE.
routes_ours() {
  ip -4 route show proto "$route_protocol" | sed -nE 's/^([^ ]+) via ([^ ]+) dev ([^ ]+).*/\1 via \2 dev \3/p'
}

# routes_split: the wanted routes, one a line: SUBNET via NEXT_HOP.
routes_split() {
  if [[ -n ${want[routes]} ]]; then
    printf '%s\n' "${want[routes]//, /$'\n'}"
  fi
}

routes_set() {
  local route dev=${want[interface]}
  while read -r route; do
    if [[ ${route##* } != "$dev" ]] || ! routes_split | grep -qxF "${route% dev *}"; then
      # shellcheck disable=SC2086  # a route is words: SUBNET via NEXT_HOP dev INTERFACE
      ip -4 route del $route proto "$route_protocol"
    fi
  done < <(routes_ours)
  while read -r route; do
    # shellcheck disable=SC2086  # a route is words: SUBNET via NEXT_HOP
    ip -4 route replace $route dev "$dev" proto "$route_protocol" ||
      die "the route $route does not go through $dev." "is the next hop in the subnet of $dev? ip address show $dev"
  done < <(routes_split)
}

# has_table TABLE: this kernel has that table; without the module of raw there are no rules of Docker in it either.
has_table() { iptables -w 10 -t "$1" -S >/dev/null 2>&1; }

# forward_set: let the peers' container subnets in and out by the data interface, and hide no source address.
# The chains are replaced as a whole, so no packet meets half of one.
forward_set() {
  local peers peer dev=${want[interface]}
  read -ra peers <<<"${want[forward]#accept}"
  {
    printf '*filter\n:ROCESTACK - [0:0]\n'
    for peer in "${peers[@]}"; do
      printf -- '-A ROCESTACK -s %s -i %s -j ACCEPT\n-A ROCESTACK -d %s -o %s -j ACCEPT\n' "$peer" "$dev" "$peer" "$dev"
    done
    printf 'COMMIT\n*nat\n:ROCESTACK - [0:0]\n'
    for peer in "${peers[@]}"; do
      printf -- '-A ROCESTACK -d %s -o %s -j ACCEPT\n' "$peer" "$dev"
    done
    printf 'COMMIT\n'
    if has_table raw; then
      # Docker 28 and later drop here what goes to a container's own address from outside its bridge.
      printf '*raw\n:ROCESTACK - [0:0]\n'
      for peer in "${peers[@]}"; do
        printf -- '-A ROCESTACK -s %s -d %s -i %s -j ACCEPT\n' "$peer" "${want[subnet]}" "$dev"
      done
      printf 'COMMIT\n'
    fi
  } | iptables-restore -w 10 --noflush || die "iptables does not take the forwarding rules." "see its own words above."
  iptables -w 10 -C DOCKER-USER -j ROCESTACK 2>/dev/null || iptables -w 10 -I DOCKER-USER -j ROCESTACK
  # Docker puts its masquerading rule first when it starts; ours must come before it.
  jump_first nat POSTROUTING
  if has_table raw; then
    jump_first raw PREROUTING
  fi
  if [[ ${want[forward_policy]} == accept ]]; then
    iptables -w 10 -P FORWARD ACCEPT
  fi
}

# jump_first TABLE CHAIN: have the jump to our chain as the first rule, once.
jump_first() {
  if [[ $(iptables -w 10 -t "$1" -S "$2" 1) != "-A $2 -j ROCESTACK" ]]; then
    drop_jumps "$1" "$2"
    iptables -w 10 -t "$1" -I "$2" -j ROCESTACK
  fi
}

# drop_jumps TABLE CHAIN: the error of the last try says that no jump is left.
drop_jumps() {
  while iptables -w 10 -t "$1" -D "$2" -j ROCESTACK 2>/dev/null; do :; done
}

# forward_policy: the word of the FORWARD chain's policy, ACCEPT or DROP.
forward_policy() { iptables -w 10 -S FORWARD | sed -n 's/^-P FORWARD //p'; }

forward_drop() {
  local table
  local -A chain=([filter]=DOCKER-USER [nat]=POSTROUTING [raw]=PREROUTING)
  command -v iptables >/dev/null || return 0
  for table in filter nat raw; do
    iptables -w 10 -t "$table" -S ROCESTACK >/dev/null 2>&1 || continue
    drop_jumps "$table" "${chain[$table]}"
    iptables -w 10 -t "$table" -F ROCESTACK
    iptables -w 10 -t "$table" -X ROCESTACK
  done
}
