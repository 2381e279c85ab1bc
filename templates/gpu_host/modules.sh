module_loaded() {
  local name
  while read -r name _; do
    [[ $name != "$1" ]] || return 0
  done < <(lsmod)
  return 1
}
