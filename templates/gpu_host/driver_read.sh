# shellcheck disable=SC2154  # want is the script's
# The NVIDIA driver as it is on this host; include it after modules.sh.

# driver_built: the version of the module on the disk for the running kernel, or nothing.
driver_built() {
  # The error text of an unknown module is the answer "nothing".
  modinfo -F version nvidia 2>/dev/null || true
}

# driver_source_kept NAME VERSION KEYRING: the vendor's package with the repository is there, and the key that this
# step put beside it (empty: the package has its own).
driver_source_kept() {
  [[ -n $1 && (-z $3 || -e $3) && $(dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null) == "installed $2" ]]
}

# gpu_query FIELDS: one line per GPU as nvidia-smi has it; 1 with its first words in gpu_said when it fails.
gpu_query() {
  gpu_said=$(timeout 120 nvidia-smi "--query-gpu=$1" --format=csv,noheader 2>&1) && return 0
  gpu_said=$(sed '/^[[:space:]]*$/d' <<<"$gpu_said" | head -n 1)
  return 1
}

# gpu_capabilities NAME…: the compute capability of each GPU, one a line. nvidia-smi says it since driver 510; for
# older ones the table has the cards that those drivers know (developer.nvidia.com/cuda-gpus). Nothing for others.
gpu_capabilities() {
  local name
  if gpu_query compute_cap; then
    printf '%s\n' "$gpu_said"
    return
  fi
  for name in "$@"; do
    case $name in
      *K10* | *'GTX 6'[78]* | *'GTX 770'*) echo 3.0 ;;
      *K20* | *K40* | *'GTX 780'* | *'GTX TITAN'* | *'GTX Titan'*) echo 3.5 ;;
      *K80*) echo 3.7 ;;
      *M10* | *'GTX 750'*) echo 5.0 ;;
      *' M4'* | *' M6'* | *'GTX 9'*) echo 5.2 ;;
      *P100*) echo 6.0 ;;
      *' P4'* | *' P5'* | *' P6'* | *'GTX 10'* | *'TITAN X'*) echo 6.1 ;;
      *V100* | *'TITAN V'*) echo 7.0 ;;
      *' T4'* | *'RTX 20'* | *'TITAN RTX'* | *'Quadro RTX'*) echo 7.5 ;;
      *A100* | *A30*) echo 8.0 ;;
      *A10 | *A16 | *A2 | *A40 | *'RTX 30'* | *'RTX A'*) echo 8.6 ;;
      *) echo unknown ;;
    esac
  done
}

# capability_lowest CAPABILITY…: the lowest one, or unknown as soon as one is.
capability_lowest() {
  if [[ " $* " == *' unknown '* ]]; then
    printf 'unknown\n'
  else
    printf '%s\n' "$@" | sort -V | head -n 1
  fi
}

# driver_facts: gpus, model and compute_capability, each in the form of its setting: `any` where any is right.
driver_facts() {
  local lowest names=() models=() capabilities=()
  if ! gpu_query name; then
    fact gpus "none: ${gpu_said:-nvidia-smi does not answer}"
    return
  fi
  mapfile -t names <<<"$gpu_said"
  mapfile -t models < <(printf '%s\n' "${names[@]}" | sort -u)
  mapfile -t capabilities < <(gpu_capabilities "${names[@]}")
  lowest=$(capability_lowest "${capabilities[@]}")
  [[ ${want[gpus]:-any} == any ]] || fact gpus "$(printf '%s\n' "${names[@]}" | wc -l)"
  [[ ${want[model]:-any} == any ]] || fact model "$(printf '%s\n' "${models[@]}" | paste -s -d ',')"
  if [[ $lowest == unknown ]]; then
    fact compute_capability "unobservable: no list here has ${models[*]}"
  elif [[ $(printf '%s\n' "$lowest" "${want[compute_capability]}" | sort -V | head -n 1) == "${want[compute_capability]}" ]]; then
    fact compute_capability "${want[compute_capability]}"
  else
    fact compute_capability "$lowest"
  fi
}
