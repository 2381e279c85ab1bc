# shellcheck disable=SC2154  # want is the script's
module_loaded() {
  local name
  while read -r name _; do
    [[ $name != "$1" ]] || return 0
  done < <(lsmod)
  return 1
}

# module_version NAME: the version of the module that is loaded, `loaded` when it does not say, or nothing.
module_version() {
  local file=${want[sysfs_root]:-/sys}/module/$1/version
  module_loaded "$1" || return 0
  if [[ -r $file ]]; then
    cat "$file"
  else
    printf 'loaded\n'
  fi
}
