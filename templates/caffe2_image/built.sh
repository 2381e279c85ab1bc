# shellcheck disable=SC2154  # engine_name is engine_there.sh's
# What the build made on an engine, known by the label that its checks leave.
checks_label=image.rocestack.checks

# drop_built IMAGE [TAG]: take away the names of all images IMAGE that were built here, in a registry's name too, but that
# of TAG. One that a container still uses stays, and is told on standard error; the status is then 1.
drop_built() {
  local name status=0
  while read -r name; do
    if [[ $name != *:'<none>' ]] && [[ $name == "$1":* || $name == */"$1":* ]] && [[ -z ${2:-} || $name != *:"$2" ]]; then
      docker rmi "$name" >/dev/null 2>&1 || {
        status=1
        printf '%s on %s is still in use and stays\n' "$name" "$engine_name" >&2
      }
    fi
  done < <(docker images --filter "label=$checks_label" --format '{% raw %}{{.Repository}}:{{.Tag}}{% endraw %}')
  return "$status"
}
