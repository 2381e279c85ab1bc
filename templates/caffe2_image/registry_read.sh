# shellcheck shell=bash
# Our registry as it is on this host: two units over one folder, one for reading and one for pushing.
registry_data=/var/lib/rocestack-registry
registry_units=(rocestack-registry.service rocestack-registry-push.service)

# registry_service: active, where both units are and will be after a boot, or what is wrong.
registry_service() {
  local unit state
  for unit in "${registry_units[@]}"; do
    state=$(systemctl show --property=ActiveState "$unit")
    if [[ $state != ActiveState=active ]]; then
      printf '%s' "${state#*=}"
      return
    fi
  done
  for unit in "${registry_units[@]}"; do
    if [[ ! -e /etc/systemd/system/multi-user.target.wants/$unit ]]; then
      printf 'active (until reboot)'
      return
    fi
  done
  printf 'active'
}

# registry_folder: kept, where the folder of the images is the registry's alone, or absent, or whose it is.
registry_folder() {
  local state
  state=$(stat -c '%U %a' "$registry_data" 2>/dev/null) || state=absent
  [[ $state != 'docker-registry 700' ]] || state=kept
  printf '%s' "$state"
}
