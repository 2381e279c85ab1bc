# The host's own network tool knows the data address too: it then keeps it when it configures the host anew.
# Whatever tool there is, our unit brings the address back at boot and after the driver was loaded anew.
ifupdown_file=/etc/network/interfaces.d/rocestack
netplan_file=/etc/netplan/60-rocestack.yaml

# address_keeper: which tool configures this host's network at boot, in REPLY: ifupdown, netplan or none.
address_keeper() {
  local file
  REPLY=none
  if command -v netplan >/dev/null; then
    for file in /etc/netplan/*.yaml; do
      if [[ -e $file && $file != "$netplan_file" ]]; then
        REPLY=netplan
        return
      fi
    done
  fi
  if command -v ifup >/dev/null && [[ -r /etc/network/interfaces ]] &&
    grep -Eq '^[[:space:]]*source(-directory)?[[:space:]]+(/etc/network/)?interfaces\.d(/\*)?[[:space:]]*$' /etc/network/interfaces; then
    REPLY=ifupdown
  fi
}

# keeper_file TOOL INTERFACE ADDRESS MTU: where the tool reads the address, in REPLY_FILE, and what stands there, in
# REPLY. Both are empty for none.
keeper_file() {
  local lines=()
  REPLY_FILE=''
  case $1 in
    ifupdown)
      REPLY_FILE=$ifupdown_file
      lines=("auto $2" "iface $2 inet static" "    address $3" "    mtu $4")
      ;;
    netplan)
      REPLY_FILE=$netplan_file
      lines=('network:' '  version: 2' '  ethernets:' "    $2:" "      addresses: [$3]" "      mtu: $4"
        '      optional: true')
      ;;
  esac
  printf -v REPLY '%s\n' '# rocestack: the data interface.' "${lines[@]}"
  REPLY=${REPLY%$'\n'}
}

# address_is_kept INTERFACE ADDRESS MTU: the host's tool, if there is one, has it as it is wanted.
address_is_kept() {
  local tool
  address_keeper
  tool=$REPLY
  keeper_file "$tool" "$@"
  [[ $tool == none ]] || { [[ -r $REPLY_FILE ]] && [[ $(<"$REPLY_FILE") == "$REPLY" ]]; }
}
