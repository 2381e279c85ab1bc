# shellcheck disable=SC2154  # step is the script's, want is prelude.sh's
# A reboot that a step needs, by what it sees and never because a package changed; include it after record.sh
# and boot_read.sh. want: reboot (auto, ask, never), the stack's policy.
#
# This script then ends with status 75, the host goes down, and the operator's side runs the script once more in
# the next boot (components/reboot.py). `own[reboot_from]` remembers the boot that it asked to end.

# reboot_for REASON HINT: this step is complete only after a reboot, for this reason; HINT is for when a reboot did
# not help. It returns only where nobody reboots this host; else the reboot comes after this script has ended, so that
# its answer still arrives.
reboot_for() {
  local said from=${own[reboot_from]:-}
  need reboot
  case ${want[reboot]} in
    never)
      printf 'rocestack: warning: %s; reboot.policy is never, so it stays so until somebody reboots this host.\n' "$1" >&2
      return 0
      ;;
    auto | ask) ;;
    *) die "a reboot can be 'auto', 'ask' or 'never', not '${want[reboot]}'." ;;
  esac
  if [[ -n $from && $from != "$(boot_token)" ]]; then
    reboot_forget
    die "$1, also after a reboot." "$2"
  fi
  own[reboot_from]=$(boot_token)
  record_write
  install -d -m 0755 "${boot_marker%/*}"
  printf '%s %s\n' "$(boot_token)" "$step" >"$boot_marker.new"
  mv -f "$boot_marker.new" "$boot_marker"
  if [[ ${want[reboot]} == ask ]]; then
    printf 'rocestack: %s, and reboot.policy is ask: reboot this host now.\n' "$1" >&2
    exit 75
  fi
  printf 'rocestack: %s; this host reboots now.\n' "$1" >&2
  # An interrupted run may have scheduled it already.
  if ! systemctl -q is-active rocestack-reboot.timer; then
    systemctl reset-failed rocestack-reboot.service 2>/dev/null || [[ $? -le 5 ]] # no such unit is loaded
    said=$(systemd-run --unit=rocestack-reboot --on-active=2 --timer-property=AccuracySec=100ms systemctl reboot 2>&1) ||
      die "the reboot could not be scheduled: ${said##*$'\n'}." "reboot this host, then run up again."
  fi
  exit 75
}

# reboot_forget: this step needs no reboot any more.
reboot_forget() {
  if [[ -n ${own[reboot_from]:-} ]]; then
    unset 'own[reboot_from]'
    record_write
  fi
  if [[ $(boot_awaited) == "$step" ]]; then
    rm -f "$boot_marker"
  fi
}
