# This step's ownership record: what it last applied on this host. Needs `step`; include it after prelude.sh.
#
# `had` holds the values last applied, so that apply takes away what is no longer wanted and remove takes
# away only what is ours. `own` holds what the step itself must remember: before_<key>, the state that it
# found and gives back; installed, what it brought; made_<name>, the sha256 of a file that another tool made for it; reboot_from, the boot
# that it asked to end. The record is written before anything is done, so a half-done apply is known too.
# shellcheck disable=SC2154  # step is the script's, want is prelude.sh's
declare -A had=() own=()
records=/var/lib/rocestack

# One script of ours at a time on a host: one that a killed run left behind must not go on beside the next. The file
# names the process whose turn it is, and when that began; /run does not outlive a boot.
turn=/run/rocestack-turn

began_at() {
  local fields=()
  if [[ -r /proc/$1/stat ]]; then
    read -ra fields < <(sed 's/.*) //' "/proc/$1/stat")
  fi
  # A zombie has ended too.
  if [[ ${fields[0]:-Z} == Z ]]; then
    printf 'gone'
  else
    printf '%s' "${fields[19]}"
  fi
}

alone() {
  local pid began
  [[ -r $turn ]] || return 0
  read -r pid began <"$turn" || return 0
  [[ ! $pid =~ ^[0-9]+$ || $pid == "$$" || $(began_at "$pid") != "$began" ]]
}

take_turn() {
  wait_for 900 alone ||
    die "a script of an earlier run still works on this host: process $(<"$turn")." "wait until it ends, or end it, then run the same command again."
  printf '%s %s\n' "$$" "$(began_at "$$")" >"$turn"
}

record_read() {
  local line
  take_turn
  had=() own=()
  [[ -e $records/$step ]] || return 0
  while IFS= read -r line; do
    [[ $line =~ ^([a-z][a-z0-9_]*):\ \'(.*)\'$ ]] ||
      die "the record $records/$step has a line that is no setting: $line" \
        "restore that file, or remove it: then nothing that was set before counts as ours."
    case ${BASH_REMATCH[1]} in
      before_* | made_* | installed | reboot_from) own[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]//"''"/"'"} ;;
      *) had[${BASH_REMATCH[1]}]=${BASH_REMATCH[2]//"''"/"'"} ;;
    esac
  done <"$records/$step"
}

# For remove: without a record, what the engine says was last applied is what is ours.
# shellcheck disable=SC2034  # had is for the script
record_read_or_want() {
  local key
  record_read
  [[ ! -e $records/$step ]] || return 0
  for key in "${!want[@]}"; do
    had[$key]=${want[$key]}
  done
}

# The wanted settings alone, as lines; the engine's bookkeeping (generation, node, drift_…) stays out, and so does
# what follows from the settings (facts/files.py): the files' hashes, the unit's state and the record itself.
want_lines() {
  local key
  for key in "${!want[@]}"; do
    case $key in
      generation | node | drift_* | file_* | unit | record) ;;
      *) printf "%s: '%s'\n" "$key" "${want[$key]//"'"/"''"}" ;;
    esac
  done | LC_ALL=C sort
}

# Write what is wanted and `own`; the new record replaces the old one at once.
record_write() {
  local key
  install -d -m 0755 "$records"
  {
    want_lines
    for key in "${!own[@]}"; do
      printf "%s: '%s'\n" "$key" "${own[$key]//"'"/"''"}"
    done
  } | LC_ALL=C sort >"$records/$step.new"
  if cmp -s "$records/$step.new" "$records/$step"; then
    rm "$records/$step.new"
  else
    mv -f "$records/$step.new" "$records/$step"
  fi
}

# sum_of FILE: its sha256, or nothing where there is none.
sum_of() {
  [[ ! -f $1 ]] || sha256sum "$1" | cut -d ' ' -f 1
}

record_drop() {
  rm -f "$records/$step" "$records/$step.new"
  if [[ -d $records ]]; then
    rmdir --ignore-fail-on-non-empty "$records"
  fi
}
