# shellcheck disable=SC2154  # want is prelude.sh's
# pending SENTENCE HINT: something waits for a reboot. That is an error, but for a stack that never reboots:
# there it is said, and this script ends well.
pending() {
  [[ ${want[reboot]} == never ]] || die "$1." "$2"
  printf 'rocestack: warning: %s; reboot.policy is never, so it stays so until somebody reboots this host.\n' "$1" >&2
  exit 0
}
