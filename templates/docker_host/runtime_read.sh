# runtime_package FLAVOUR: the package whose version counts.
runtime_package() {
  case $1 in
    nvidia-docker) printf 'nvidia-docker2' ;;
    container-toolkit) printf 'nvidia-container-toolkit' ;;
  esac
}

# runtime_names: the runtimes that the engine knows, one a line; an engine that does not answer is an error.
runtime_names() {
  local said
  said=$(timeout 5 docker info --format '{% raw %}{{json .Runtimes}}{% endraw %}' 2>/dev/null) || return
  grep -oE '"[A-Za-z0-9._-]+":\{' <<<"$said" | tr -d '":{'
}

# shellcheck disable=SC2034  # what daemon.json has for it, its keys sorted
runtime_entry='{"path": "nvidia-container-runtime", "runtimeArgs": []}'

cdi_spec=/etc/cdi/nvidia.yaml
# cdi_state: nvidia.com/gpu=all where the specification has it and every file that it names is there; a new
# driver has other files.
cdi_state() {
  local path
  [[ -e $cdi_spec ]] || return 0
  if ! nvidia-ctk cdi list 2>/dev/null | grep -xF nvidia.com/gpu=all; then
    printf 'none in %s' "$cdi_spec"
    return
  fi
  while read -r path; do
    if [[ ! -e $path ]]; then
      printf ' (stale: no %s)' "$path"
      return
    fi
  done < <(sed -nE 's/^ *-? *hostPath: *"?([^" ]+)"?$/\1/p' "$cdi_spec")
}
