# shellcheck disable=SC2154  # want is prelude.sh's
# driver_check: the wanted driver runs, so it must see the GPUs that the stack expects. It only looks; include it
# after driver_read.sh.
driver_check() {
  local said key wrong=''
  local -A found=()
  said=$(timeout 120 nvidia-debugdump -l 2>&1) ||
    die "nvidia-debugdump -l fails on the driver ${want[version]}: ${said##*$'\n'}" "on the host: dmesg | grep -i nvrm"
  # For driver_facts.
  # shellcheck disable=SC2329
  fact() { found[$1]=$2; }
  driver_facts
  for key in gpus model compute_capability; do
    if [[ -v "found[$key]" && ${found[$key]} != "${want[$key]}" ]]; then
      wrong+="${wrong:+; }gpu.${key/gpus/count} is ${found[$key]}, wanted ${want[$key]}"
    fi
  done
  [[ -z $wrong ]] || die "the driver ${want[version]} runs, but the GPUs are not the stack's: $wrong." \
    "correct the stack, or look for the missing GPU: nvidia-smi, lspci -d 10de:, dmesg | grep -i nvrm."
}
