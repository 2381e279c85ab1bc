# Which boot this host runs, and which one a step wants to end. Read only.
boot_marker=/run/rocestack/reboot

# boot_token: other after every boot. A container keeps its machine's boot id, but its first process is new.
boot_token() {
  local fields
  fields=$(</proc/1/stat)
  # What follows the name, which may hold blanks; the start time is then the twentieth word.
  read -ra fields <<<"${fields##*) }"
  printf '%s:%s' "$(</proc/sys/kernel/random/boot_id)" "${fields[19]}"
}

# boot_awaited: the step for which this boot shall end, or nothing. /run is empty after a boot.
boot_awaited() {
  local token awaited
  [[ -e $boot_marker ]] || return 0
  read -r token awaited <"$boot_marker"
  [[ $token != "$(boot_token)" ]] || printf '%s' "$awaited"
}
