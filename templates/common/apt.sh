# The distribution's packages, without questions; include it after host.sh.
# shellcheck disable=SC2329  # a script calls those that it needs

# The dpkg lock is waited for; what apt says is shown only when it fails.
apt_get() {
  local said
  said=$(DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 LC_ALL=C apt-get -q -y \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" </dev/null 2>&1) || {
    printf '%s\n' "$said" | tail -n 15 >&2
    return 1
  }
  printf '%s\n' "$said"
}

package_installed() {
  # The error text of an unknown package is the answer "not installed".
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# The lists have a lock of their own, for which apt does not wait.
lists_updated() {
  lists_said=$(DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q update </dev/null 2>&1) && return 0
  [[ $lists_said != *'Could not get lock'* ]]
}

# apt_update: have fresh package lists, or go on with the old ones and say so.
apt_update() {
  wait_for 300 lists_updated ||
    die "another program has held apt's list lock for five minutes." "see which one: fuser -v /var/lib/apt/lists/lock"
  if [[ $lists_said =~ (^|$'\n')(E:[^$'\n']*) ]]; then
    printf 'rocestack: apt could not update its lists (%s), so it uses the old ones.\n' "${BASH_REMATCH[2]}" >&2
  fi
}

# apt_would install|purge PACKAGE…: which packages that would bring or take, one a line.
apt_would() {
  apt_get -s "$1" --no-install-recommends "${@:2}" | sed -nE 's/^(Inst|Remv|Purg) ([^ ]+).*/\2/p' | LC_ALL=C sort -u
}

# apt_install PACKAGE…: install what is missing, and remember in the record whatever comes with it.
apt_install() {
  local package missing=() brought
  for package in "$@"; do
    package_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    die "${missing[*]} should be installed, but this host has no apt-get." "rocestack supports Debian and Ubuntu hosts."
  if [[ -n $(dpkg --audit) ]]; then
    DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a </dev/null >/dev/null ||
      die "dpkg has a half-installed package that cannot be finished." "see dpkg --audit on the host."
  fi
  apt_update
  brought=$(apt_would install "${missing[@]}") ||
    die "apt cannot install ${missing[*]}." "see its own words above; are the host's package sources right and reachable?"
  own[installed]=$(printf '%s\n' ${own[installed]:-} $brought | LC_ALL=C sort -u | xargs)
  record_write
  apt_get install --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt could not install ${missing[*]}." "see its own words above, then run up again."
}

# apt_purge_unneeded PACKAGE…: purge what this step brought, except these and what anything else needs.
apt_purge_unneeded() {
  local package keep=" $* " ours=() rest would again=yes
  for package in ${own[installed]:-}; do
    if [[ $keep != *" $package "* ]] && dpkg-query -W "$package" >/dev/null 2>&1; then
      ours+=("$package")
    fi
  done
  # A package whose removal would take along one that is not ours stays.
  while [[ $again == yes ]] && ((${#ours[@]})); do
    again=no
    rest=()
    for package in "${ours[@]}"; do
      would=$(apt_would purge "$package") || die "apt cannot say what removing $package would take along."
      if comm -23 <(printf '%s\n' "$would") <(printf '%s\n' "${ours[@]}" | LC_ALL=C sort -u) | grep -q .; then
        again=yes
      else
        rest+=("$package")
      fi
    done
    ours=("${rest[@]}")
  done
  ((${#ours[@]})) || return 0
  apt_get purge "${ours[@]}" >/dev/null ||
    die "apt could not remove ${ours[*]}." "see its own words above, then run the same command again."
}
