# shellcheck disable=SC2154  # the script sets want
# A vendor's apt repository, trusted by the whole fingerprint of its key; include it after apt.sh and
# repository_read.sh.
#
# want: repository (URL SUITE COMPONENT…, or none), repository_key (40 hexadecimal digits), repository_key_url.
# The key is trusted for this repository alone, and nothing else that its file holds is trusted at all.

# apt_key FILE [FINGERPRINT TO]: see apt_key.py.
apt_key() {
  python3 - "$@" <<'PYTHON'
{% include "common/apt_key.py" %}
PYTHON
}

# repository_set NAME: have the wanted repository as rocestack-NAME, its lists fresh. Where it is right already
# nothing is fetched. A repository that cannot be used is an error, and then nothing of it stays.
repository_set() {
  local list keyring line
  need repository repository_key repository_key_url
  if [[ ${want[repository]} == none ]]; then
    repository_drop "$1"
    return
  fi
  list=$(repository_list "$1")
  keyring=$(repository_keyring "$1")
  line="deb [signed-by=$keyring] ${want[repository]}"
  command -v python3 >/dev/null || die "this host has no python3, which checks the key of ${want[repository]%% *}." "install python3."
  ! repository_kept "$1" || return 0
  repository_listed_elsewhere "$list"
  if [[ ${want[repository]} == https:* ]]; then
    apt_install ca-certificates
    # apt before 1.5 (Ubuntu 16.04) speaks HTTPS only with this.
    [[ -e /usr/lib/apt/methods/https ]] || apt_install apt-transport-https
  fi
  repository_drop "$1"
  repository_fetch_key "$keyring"
  printf '%s\n' "$line" | put_file "$list" 644
  if ! repository_update "$list"; then
    repository_drop "$1"
    die "apt cannot use the repository ${want[repository]}: $repository_said" \
      "is the address right and reachable from this host, and is it signed by the key ${want[repository_key]}?"
  fi
}

# repository_kept NAME: it is there as it is wanted.
repository_kept() {
  local list keyring
  list=$(repository_list "$1")
  keyring=$(repository_keyring "$1")
  [[ -e $list && $(<"$list") == "deb [signed-by=$keyring] ${want[repository]}" && -e $keyring ]] &&
    [[ $(apt_key "$keyring" 2>&1) == "${want[repository_key]}" ]]
}

# repository_fetch_key KEYRING: fetch the key file and keep the one key with the wanted fingerprint.
repository_fetch_key() {
  local scratch said
  scratch=$(mktemp -d)
  # apt's own download: no other program for it is sure to be there, and it uses apt's proxy.
  if ! said=$(LC_ALL=C /usr/lib/apt/apt-helper download-file "${want[repository_key_url]}" "$scratch/key" 2>&1); then
    rm -r "$scratch"
    die "the key ${want[repository_key_url]} cannot be fetched: ${said##*$'\n'}" "is the address right and reachable from this host?"
  fi
  if ! said=$(apt_key "$scratch/key" "${want[repository_key]}" "$scratch/keyring" 2>&1); then
    rm -r "$scratch"
    die "the key at ${want[repository_key_url]} is not ${want[repository_key]}: $said." \
      "do not go on before its owner confirms the fingerprint; then set repository.key_fingerprint."
  fi
  put_file "$1" 644 <"$scratch/keyring"
  rm -r "$scratch"
}

# repository_listed_elsewhere LIST: apt takes no repository twice with different keys, and then works no more.
repository_listed_elsewhere() {
  local url suite other
  read -r url suite _ <<<"${want[repository]}"
  other=$(find /etc/apt/sources.list /etc/apt/sources.list.d ! -path "$1" -type f \
    \( -name '*.list' -o -name '*.sources' \) -exec awk -v url="${url%/}" -v suite="$suite" '
      /^[[:space:]]*#/ { next }
      {
        for (i = 1; i <= NF; i++) {
          word = $i
          sub(/\/$/, "", word)
          if (word == url && (FILENAME ~ /sources$/ || $(i + 1) == suite)) { print FILENAME; next }
        }
      }' {} +)
  [[ -z $other ]] || die "${other%%$'\n'*} on this host already lists $url $suite." \
    "remove that file, or its line: apt takes one key for a repository, and rocestack brings the checked one."
}

# repository_update LIST: update the lists of this repository alone; repository_said is what apt complained of.
repository_update() {
  repository_said=''
  wait_for 300 repository_updated "$1" ||
    die "another program has held apt's list lock for five minutes." "see which one: fuser -v /var/lib/apt/lists/lock"
  [[ -z $repository_said ]]
}

# Fetch errors are mere warnings to apt-get update, so its words count. 1 while another program has the lock.
repository_updated() {
  local said status=0
  said=$(DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q update -o "Dir::Etc::sourcelist=$1" \
    -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0 </dev/null 2>&1) || status=$?
  [[ $said != *'Could not get lock'* ]] || return 1
  if [[ $status -ne 0 || $said =~ (^|$'\n')(Err:|W: (Failed|Some|GPG)) ]]; then
    repository_said=$(grep -E -m 1 '^(E|W): ' <<<"$said") || repository_said=${said##*$'\n'}
  fi
}

# repository_drop NAME: have no such repository: no list file, no keyring, none of its lists.
repository_drop() {
  local list keyring line url suite
  list=$(repository_list "$1")
  keyring=$(repository_keyring "$1")
  if [[ -e $list ]]; then
    line=$(<"$list")
    read -r url suite _ <<<"${line#*] }"
    # apt names a list by its URL without the scheme, / as _.
    url=${url#*//}
    url=${url%/}
    url=${url//%/%25}
    url=${url//\~/%7e}
    url=${url//_/%5f}
    if [[ $suite != */ ]]; then
      url+=/dists/$suite/
    else
      url+=/$suite
    fi
    rm -f "/var/lib/apt/lists/${url//\//_}"*
  fi
  drop_file "$list" "$keyring"
  # Newer releases of apt bring this folder.
  if [[ -d /etc/apt/keyrings ]] && ! dpkg -S /etc/apt/keyrings >/dev/null 2>&1; then
    rmdir --ignore-fail-on-non-empty /etc/apt/keyrings
  fi
}
