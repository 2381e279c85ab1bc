# The state of an interface, without a fork where the kernel's files say it.

# link_mtu INTERFACE and link_state INTERFACE (up, no-carrier, down) set REPLY.
link_mtu() { REPLY=$(<"/sys/class/net/$1/mtu"); }
link_state() {
  local flags carrier
  flags=$(<"/sys/class/net/$1/flags")
  REPLY=down
  if ((flags & 1)); then
    carrier=$(<"/sys/class/net/$1/carrier")
    REPLY=no-carrier
    if [[ $carrier == 1 ]]; then
      REPLY=up
    fi
  fi
}

# link_addresses INTERFACE: its IPv4 addresses, one a line.
link_addresses() { ip -4 -o address show dev "$1" | awk '{ print $4 }' | LC_ALL=C sort; }
