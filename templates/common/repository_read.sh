# shellcheck disable=SC2154  # the script sets want, the probe keys_of
# An apt repository of ours as it is on this host: one list file, and one keyring that only that file names.

repository_list() { printf '/etc/apt/sources.list.d/rocestack-%s.list' "$1"; }
repository_keyring() { printf '/etc/apt/keyrings/rocestack-%s.gpg' "$1"; }

# repository_facts NAME: the facts repository (URL SUITE COMPONENT…, or none) and repository_key (the
# fingerprints of the keys that apt takes for it, or none).
repository_facts() {
  local list keyring line=none signers=none
  list=$(repository_list "$1")
  keyring=$(repository_keyring "$1")
  if [[ -e $list ]]; then
    line=$(<"$list")
    line=${line#"deb [signed-by=$keyring] "}
  fi
  if [[ -e $keyring ]]; then
    signers=${keys_of[$keyring]:-no key file}
  fi
  fact repository "$line"
  fact repository_key "$signers"
}
