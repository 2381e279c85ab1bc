# shellcheck disable=SC2154,SC2034,SC2004  # had, own, want (all with names as keys) come from the script
# Give back the QoS that was found before the first apply, as far as it was recorded.
release_qos() {
  local key
  drop_unit "rocestack-qos@${had[interface]}.service"
  unbind_device rocestack-qos "${had[interface]}"
  [[ -v own[before_tcp_ecn] && -e ${had[sysfs_root]}/class/net/${had[interface]} ]] || return 0
  want=()
  for key in "${!had[@]}"; do
    want[$key]=${had[$key]}
  done
  for key in "${qos_keys[@]}" rp_enable np_enable; do
    if [[ -v own[before_$key] ]]; then
      want[$key]=${own[before_$key]}
    fi
  done
  # ECN was found per point; together they are only what is wanted.
  want[ecn_priority]=${had[ecn_priority]}
  qos_set
  if [[ ${own[before_cma]:-} == closed ]] && cma_is_open; then
    cma_close
  fi
}
