# shellcheck disable=SC2154  # want is the script's
# A host as the operator's machine reaches it; include it after host.sh.
# want: host (its name), ssh_address, ssh_port, ssh_user, ssh_host_key, ssh_key (a file; ~ is the home folder).
# The host key is always checked, and nobody's own SSH configuration changes what is meant.

# ssh_read FOLDER [PREFIX]: make ready; what ssh has to know of the host is a file in FOLDER, which goes with the script.
# With a PREFIX the host is the one of those settings (builder_host, builder_ssh_address, …).
ssh_read() {
  local prefix=${2:-} place key one
  local -A at=()
  for one in host ssh_address ssh_port ssh_user ssh_host_key ssh_key; do
    need "$prefix$one"
    at[$one]=${want[$prefix$one]}
  done
  command -v ssh >/dev/null || die "this machine has no ssh, by which ${at[host]} is reached." "install openssh-client."
  place=${at[ssh_address]}
  [[ ${at[ssh_port]} == 22 ]] || place=[$place]:${at[ssh_port]}
  printf '%s %s\n' "$place" "${at[ssh_host_key]}" >"$1/known_hosts"
  # shellcheck disable=SC2088  # it is expanded here
  key=${at[ssh_key]/#'~/'/$HOME/}
  ssh_login=${at[ssh_user]}@${at[ssh_address]}
  ssh_place=(-p "${at[ssh_port]}" -i "$key")
  ssh_to=(ssh -F /dev/null "${ssh_place[@]}" -o "UserKnownHostsFile=$1/known_hosts" -o GlobalKnownHostsFile=/dev/null
    -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20
    -o ServerAliveInterval=15 -o LogLevel=ERROR)
  ssh_root=''
  [[ ${at[ssh_user]} == root ]] || ssh_root='sudo -n '
}

# on_host COMMAND: run it on the host as root; its words are one text for the shell there.
on_host() { "${ssh_to[@]}" "$ssh_login" "$ssh_root$1"; }

# replay COMMAND: what a person types to do the same once more.
replay() { printf '%s' "ssh ${ssh_place[*]} $ssh_login '$ssh_root$1'"; }
