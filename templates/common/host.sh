# What every apply and remove script needs on a host; include it after prelude.sh.

# Stop with one sentence that says what happened, and a hint how to go on.
die() {
  printf 'rocestack: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf 'Hint: %s\n' "$2" >&2
  exit 1
}

# need KEY…: each of these settings was given (it may be empty).
need() {
  local key
  for key in "$@"; do
    [[ -v "want[$key]" ]] || die "the setting '$key' is missing on standard input."
  done
}

# wait_for SECONDS COMMAND…: poll until COMMAND succeeds, with growing pauses; 1 when the time is over.
wait_for() {
  local end=$((SECONDS + $1)) pause
  local pauses=(0.1 0.2 0.4 0.8)
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    pause=${pauses[0]:-1}
    pauses=("${pauses[@]:1}")
    sleep "$pause"
  done
}

# filled: the text on standard input with each @key@ as that setting.
filled() {
  local text key
  text=$(cat)
  for key in "${!want[@]}"; do
    text=${text//@$key@/"${want[$key]}"}
  done
  printf '%s\n' "$text"
}

# put_file PATH MODE: have this content (standard input) in PATH. Sets changed=yes if it was not so.
# The new file replaces the old one at once, so nobody reads half of it. At the end of a pipe it would set changed in
# a shell of its own: put_file PATH MODE < <(PROGRAM).
changed=no
put_file() {
  local path=$1 mode=$2
  install -d -m 0755 "${path%/*}"
  cat >"$path.rocestack-new"
  chmod "$mode" "$path.rocestack-new"
  if [[ -f $path ]] && cmp -s "$path.rocestack-new" "$path" && [[ $(stat -c %a "$path") == "$mode" ]]; then
    rm "$path.rocestack-new"
  else
    mv -f "$path.rocestack-new" "$path"
    # shellcheck disable=SC2034  # for the script that asks
    changed=yes
  fi
}

# drop_file PATH…: have no such files; folders of ours that are empty then go too.
drop_file() {
  local path folder
  for path in "$@"; do
    rm -f "$path" "$path.rocestack-new"
    for folder in /etc/rocestack /usr/local/lib/rocestack; do
      if [[ ${path%/*} == "$folder" && -d $folder ]]; then
        rmdir --ignore-fail-on-non-empty "$folder"
      fi
    done
  done
}

# drop_unit UNIT: stop and disable it, if there is such a unit.
drop_unit() {
  if systemctl cat "$1" >/dev/null 2>&1; then
    systemctl disable --now --quiet "$1"
    systemctl reset-failed "$1" 2>/dev/null || [[ $? -eq 1 ]] # 1: it had not failed
  fi
}
