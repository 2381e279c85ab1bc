# shellcheck disable=SC2154  # step is the script's, want is prelude.sh's
# A reboot that a step needs, by what it sees and never because a package changed; include it after record.sh
# and boot_read.sh. want: reboot (auto, ask, never), the stack's policy.

# reboot_for REASON: this step is complete only after a reboot, for this reason. The reboot comes after this
# script has ended, so that its answer still arrives; `python -m facts wait` then waits for the new boot.
reboot_for() {
  local said
  need reboot
  case ${want[reboot]} in
    never)
      printf 'rocestack: %s; reboot.policy is never, so this stays pending until somebody reboots this host.\n' "$1" >&2
      return 0
      ;;
    auto | ask) ;;
    *) die "a reboot can be 'auto', 'ask' or 'never', not '${want[reboot]}'." ;;
  esac
  install -d -m 0755 "${boot_marker%/*}"
  printf '%s %s\n' "$(boot_token)" "$step" >"$boot_marker.new"
  mv -f "$boot_marker.new" "$boot_marker"
  [[ ${want[reboot]} == auto ]] || return 0
  printf 'rocestack: %s; this host reboots now.\n' "$1" >&2
  # An interrupted run may have scheduled it already.
  if ! systemctl -q is-active rocestack-reboot.timer; then
    systemctl reset-failed rocestack-reboot.service 2>/dev/null || [[ $? -le 5 ]] # no such unit is loaded
    said=$(systemd-run --unit=rocestack-reboot --on-active=2 --timer-property=AccuracySec=100ms systemctl reboot 2>&1) ||
      die "the reboot could not be scheduled: ${said##*$'\n'}." "reboot this host, then run up again."
  fi
}

# reboot_forget: this step needs no reboot any more.
reboot_forget() {
  if [[ $(boot_awaited) == "$step" ]]; then
    rm -f "$boot_marker"
  fi
}
