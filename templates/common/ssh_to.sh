# shellcheck disable=SC2154  # want is the script's
# A host as the operator's machine reaches it; include it after host.sh.
# want: host (its name), ssh_address, ssh_port, ssh_user, ssh_host_key, ssh_key (a file; ~ is the home folder).
# The host key is always checked, and nobody's own SSH configuration changes what is meant.

# ssh_read FOLDER: make ready; what ssh has to know of the host is a file in FOLDER, which goes with the script.
ssh_read() {
  local place=${want[ssh_address]} key
  need host ssh_address ssh_port ssh_user ssh_host_key ssh_key
  command -v ssh >/dev/null || die "this machine has no ssh, by which ${want[host]} is reached." "install openssh-client."
  [[ ${want[ssh_port]} == 22 ]] || place=[$place]:${want[ssh_port]}
  printf '%s %s\n' "$place" "${want[ssh_host_key]}" >"$1/known_hosts"
  # shellcheck disable=SC2088  # it is expanded here
  key=${want[ssh_key]/#'~/'/$HOME/}
  ssh_login=${want[ssh_user]}@${want[ssh_address]}
  ssh_place=(-p "${want[ssh_port]}" -i "$key")
  ssh_to=(ssh -F /dev/null "${ssh_place[@]}" -o "UserKnownHostsFile=$1/known_hosts" -o GlobalKnownHostsFile=/dev/null
    -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20
    -o ServerAliveInterval=15 -o LogLevel=ERROR)
  ssh_root=''
  [[ ${want[ssh_user]} == root ]] || ssh_root='sudo -n '
}

# on_host COMMAND: run it on the host as root; its words are one text for the shell there.
on_host() { "${ssh_to[@]}" "$ssh_login" "$ssh_root$1"; }

# replay COMMAND: what a person types to do the same once more.
replay() { printf '%s' "ssh ${ssh_place[*]} $ssh_login '$ssh_root$1'"; }
