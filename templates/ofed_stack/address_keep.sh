# shellcheck disable=SC2154  # the files are address_keeper.sh's
# Tell the host's own network tool of the data address, or take that back; include it after address_keeper.sh.

# keep_address INTERFACE ADDRESS MTU: have the tool's file, and no file for another tool.
keep_address() {
  local tool other said
  address_keeper
  tool=$REPLY
  if [[ $tool != ifupdown ]]; then
    drop_file "$ifupdown_file"
  fi
  if [[ $tool != netplan && -e $netplan_file ]]; then
    drop_file "$netplan_file"
  fi
  [[ $tool != none ]] || return 0
  if [[ $tool == ifupdown ]]; then
    # ifupdown refuses its whole configuration when an interface has one address twice.
    other=$(grep -lsE "^[[:space:]]*iface[[:space:]]+$1([[:space:]]|\$)" /etc/network/interfaces /etc/network/interfaces.d/* |
      grep -vxF "$ifupdown_file") || other=''
    [[ -z $other ]] || die "${other%%$'\n'*} configures $1 already." "remove its lines for $1: rocestack keeps that interface."
  fi
  if address_is_kept "$@" && [[ $(stat -c %a "$REPLY_FILE") == 600 ]]; then
    return
  fi
  printf '%s\n' "$REPLY" | put_file "$REPLY_FILE" 600
  if ! said=$(keeper_reads "$tool" "$1" 2>&1); then
    drop_file "$REPLY_FILE"
    die "$tool does not take the data address: ${said##*$'\n'}" "see the other files beside $REPLY_FILE on the host."
  fi
}

# keeper_reads TOOL INTERFACE: the tool understands its files, and where it can goes by them from now on.
keeper_reads() {
  if [[ $1 == ifupdown ]]; then
    ifquery "$2"
    return
  fi
  netplan generate || return 1
  if systemctl is-active --quiet systemd-networkd.service; then
    networkctl reload
  fi
}

# forget_address INTERFACE: have no file of ours for any tool.
forget_address() {
  if [[ -e $ifupdown_file ]]; then
    # What ifupdown brought up at boot it takes down itself, or it would believe that it is still up.
    if command -v ifdown >/dev/null && ifquery --state "$1" >/dev/null 2>&1; then
      ifdown --force "$1" >/dev/null 2>&1 || [[ $? -eq 1 ]] # 1: some of it was gone already
    fi
    drop_file "$ifupdown_file"
  fi
  if [[ -e $netplan_file ]]; then
    drop_file "$netplan_file"
    if command -v netplan >/dev/null; then
      keeper_reads netplan "$1"
    fi
  fi
}
