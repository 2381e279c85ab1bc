# shellcheck disable=SC2154  # want is the script's, ssh_login and ssh_to are ssh_to.sh's
# `docker` speaks to the engine of a host instead of this machine's; include it after ssh_to.sh.

# engine_there FOLDER [PREFIX]: from here on, where the settings name a host (PREFIX as for ssh_read); else nothing
# changes. The way there is a socket in FOLDER, which goes with engine_left.
engine_there() {
  local said name=${2:-}host
  engine_name='this machine'
  if [[ -n ${want[$name]:-} ]]; then
    engine_name=${want[$name]}
    ssh_read "$1" "${2:-}"
    engine_ssh=$1/engine-ssh
    engine_here=()
    for name in DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH; do
      [[ ! -v $name ]] || engine_here+=("$name=${!name}")
      unset "$name"
    done
    said=$("${ssh_to[@]}" -f -N -M -S "$engine_ssh" -o ExitOnForwardFailure=yes \
      -L "$1/docker.sock:/var/run/docker.sock" "$ssh_login" 2>&1 </dev/null) ||
      die "no way to the Docker engine of $engine_name ($ssh_login): ${said##*$'\n'}" \
        "does sshd there allow forwarding (AllowStreamLocalForwarding)? To try: $(replay true)"
    export DOCKER_HOST=unix://$1/docker.sock
    docker version >/dev/null 2>&1 ||
      die "the Docker engine of $engine_name does not answer $ssh_login." \
        "is it running, and may that login use it (group docker)? To try: $(ssh_root='' replay 'docker version')"
    return
  fi
  docker version >/dev/null 2>&1 ||
    die "no Docker engine answers at ${DOCKER_HOST:-the default socket}." "run make setup, or set DOCKER_HOST."
}

# engine_left: the way there is closed.
engine_left() {
  [[ -z ${engine_ssh:-} || ! -S $engine_ssh ]] || ssh -S "$engine_ssh" -O exit x 2>/dev/null || true
}

# docker_here WORDS…: this machine's own engine, where `docker` is a host's.
docker_here() { env -u DOCKER_HOST "${engine_here[@]}" docker "$@"; }

# there COMMAND: on the machine whose engine it is.
there() {
  if [[ -n ${engine_ssh:-} ]]; then
    on_host "$1" </dev/null
  else
    bash -c "$1" </dev/null
  fi
}
