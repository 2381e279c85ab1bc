# shellcheck disable=SC2154  # the script sets want
# The type of the data port's link, in the card's firmware: what it is, and what it will be after a reboot. Read
# only; include it after card_read.sh. A card without such a setting is an Ethernet card.

# card_slot: the PCI address of the data port, in REPLY; 1 with a reason in REPLY. As long as a port is InfiniBand,
# there is no interface of that name, so the first port of the only card is meant.
card_slot() {
  local slot found=()
  slot=$(readlink -f "${want[sysfs_root]}/class/net/${want[interface]}/device" || true)
  REPLY=${slot##*/}
  [[ ! $REPLY =~ ^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]$ ]] || return 0
  mapfile -t found < <(card_functions | grep '\.0$')
  REPLY=${found[0]:-}
  case ${found[*]} in
    '')
      REPLY='there is no Mellanox card on the PCI bus'
      return 1
      ;;
    *' '*)
      REPLY="there are several cards (${found[*]}), and ${want[interface]} is of none"
      return 1
      ;;
  esac
}

link_name() {
  case $1 in
    'ETH(2)' | 2) REPLY=ETH ;;
    'IB(1)' | 1) REPLY=IB ;;
    'VPI(3)' | 3) REPLY=VPI ;;
    *) REPLY=$1 ;;
  esac
}

# link_read: sets link_now and link_next (ETH, IB, VPI), link_slot, link_key and link_tool (or none). 1 with a
# reason in REPLY where nothing can say it.
# shellcheck disable=SC2034  # the answers are for the script
link_read() {
  local said line words values=()
  link_now='' link_next='' link_slot='' link_key='' link_tool=none
  if command -v mlxconfig >/dev/null; then
    link_tool=mlxconfig
  elif command -v mstconfig >/dev/null; then
    link_tool=mstconfig
  elif [[ -r /sys/class/net/${want[interface]}/type && $(</sys/class/net/"${want[interface]}"/type) == 1 ]]; then
    # An interface of this name is the port as an Ethernet one.
    link_now=ETH link_next=ETH
    return
  else
    REPLY='there is neither mlxconfig nor mstconfig'
    return 1
  fi
  card_slot || return 1
  link_slot=$REPLY
  link_key=LINK_TYPE_P$((16#${link_slot##*.} + 1))
  if ! said=$("$link_tool" -d "$link_slot" -e query "$link_key" 2>&1); then
    if [[ $said == *"doesn't support $link_key parameter"* ]]; then
      link_now=ETH link_next=ETH link_key=''
      return
    fi
    REPLY="$link_tool says: ${said##*$'\n'}"
    return 1
  fi
  while IFS= read -r line; do
    read -ra words <<<"${line/\*/ }"
    if [[ ${words[0]:-} == "$link_key" ]]; then
      values=("${words[@]:1}")
    fi
  done <<<"$said"
  # Default, current, next boot; a tool that knows only the last shows it alone.
  if [[ -z ${values[*]} ]]; then
    REPLY="$link_tool does not show $link_key"
    return 1
  elif [[ -n ${values[2]:-} ]]; then
    values=("${values[1]}" "${values[2]}")
  else
    values+=("${values[0]}")
  fi
  link_name "${values[0]}"
  link_now=$REPLY
  link_name "${values[1]}"
  link_next=$REPLY
}
