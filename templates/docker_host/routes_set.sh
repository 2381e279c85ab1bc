# shellcheck disable=SC2154  # the script sets want
# The routes to the other hosts' container subnets, and the firewall's consent.
#
# All that is ours can be told apart on the host itself: routes by their protocol number, rules by their own
# chain, ROCESTACK, in the tables filter and nat.
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
  } | iptables-restore -w 10 --noflush || die "iptables does not take the forwarding rules." "see its own words above."
  iptables -w 10 -C DOCKER-USER -j ROCESTACK 2>/dev/null || iptables -w 10 -I DOCKER-USER -j ROCESTACK
  # Docker puts its masquerading rule first when it starts; ours must come before it.
  if [[ $(iptables -w 10 -t nat -S POSTROUTING 1) != '-A POSTROUTING -j ROCESTACK' ]]; then
    drop_jumps nat POSTROUTING
    iptables -w 10 -t nat -I POSTROUTING -j ROCESTACK
  fi
}

# drop_jumps TABLE CHAIN: the error of the last try says that no jump is left.
drop_jumps() {
  while iptables -w 10 -t "$1" -D "$2" -j ROCESTACK 2>/dev/null; do :; done
}

forward_drop() {
  local table chain
  command -v iptables >/dev/null || return 0
  for table in filter nat; do
    iptables -w 10 -t "$table" -S ROCESTACK >/dev/null 2>&1 || continue
    chain=POSTROUTING
    if [[ $table == filter ]]; then
      chain=DOCKER-USER
    fi
    drop_jumps "$table" "$chain"
    iptables -w 10 -t "$table" -F ROCESTACK
    iptables -w 10 -t "$table" -X ROCESTACK
  done
}
