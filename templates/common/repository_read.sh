# shellcheck disable=SC2154  # the script sets want
# An apt repository of ours as it is on this host: one list file, and one keyring that only that file names.

# apt_key FILE [FINGERPRINT TO]: see apt_key.py.
apt_key() {
  python3 - "$@" <<'PYTHON'
{% include "common/apt_key.py" %}
PYTHON
}

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
    signers=$(apt_key "$keyring" 2>&1 | xargs) || signers='no key file'
  fi
  fact repository "$line"
  fact repository_key "$signers"
}
