# shellcheck disable=SC2154  # want is the script's
# A host as the operator's machine reaches it; include it after host.sh.
# want: host (its name), ssh_address, ssh_port, ssh_user, ssh_key and ssh_known_hosts (files; ~ is the home folder).
# The host key is always checked, and nobody's own SSH configuration changes what is meant.

ssh_read() {
  need host ssh_address ssh_port ssh_user ssh_key ssh_known_hosts
  command -v ssh >/dev/null || die "this machine has no ssh, by which ${want[host]} is reached." "install openssh-client."
  # shellcheck disable=SC2088  # it is expanded here
  ssh_to=(ssh -F /dev/null -p "${want[ssh_port]}" -i "${want[ssh_key]/#'~/'/$HOME/}"
    -o "UserKnownHostsFile=${want[ssh_known_hosts]/#'~/'/$HOME/}" -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes
    -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=15 -o LogLevel=ERROR)
  ssh_login=${want[ssh_user]}@${want[ssh_address]}
  ssh_root=''
  [[ ${want[ssh_user]} == root ]] || ssh_root='sudo -n '
}

# on_host COMMAND: run it on the host as root; its words are one text for the shell there.
on_host() { "${ssh_to[@]}" "$ssh_login" "$ssh_root$1"; }

# replay COMMAND: what a person types to do the same once more.
replay() { printf '%s' "${ssh_to[*]} $ssh_login '$ssh_root$1'"; }
