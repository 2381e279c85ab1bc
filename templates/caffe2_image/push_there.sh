# shellcheck disable=SC2034,SC2154  # registry is the script's; the settings and the way to a host are its includes'
# How the engine of a host reaches our registry's socket; include it after engine_there.sh.

relay=$(cat <<'PYTHON'
{% include "caffe2_image/relay.py" %}
PYTHON
)

# tunnel_there: a port of the builder's loopback that ends at the socket as long as this script runs; `registry` is its
# address there. On the registry's own host nothing leaves it; from another one the way is by this machine.
tunnel_there() {
  local port=''
  if [[ ${want[builder_host]} == "${want[host]}" ]]; then
    coproc RELAY { on_host "python3 -c '$relay' ${want[socket]}"; }
    read -r port <&"${RELAY[0]}" || true
  else
    "${ssh_to[@]}" -f -N -M -S "$work/ssh" -o ExitOnForwardFailure=yes -L "$work/registry:${want[socket]}" "$ssh_login" \
      </dev/null >&2 || die "no tunnel to ${want[host]} ($ssh_login) for the push." \
      "does sshd there allow forwarding (AllowStreamLocalForwarding)? To try: $(replay true)"
    port=$(ssh -S "$engine_ssh" -O forward -R "127.0.0.1:0:$work/registry" x) || true
  fi
  [[ $port =~ ^[0-9]+$ ]] ||
    die "no port on $engine_name for the push to ${want[host]}." \
      "is python3 there, and does its sshd allow forwarding (AllowTcpForwarding)? Its own words are above."
  registry=127.0.0.1:$port
}
