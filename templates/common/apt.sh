# The distribution's packages, without questions; include it after record.sh.
# shellcheck disable=SC2154  # own is record.sh's

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

# apt_brings PACKAGE…: which packages that are not there yet installing these would bring, one a line.
apt_brings() {
  # An upgrade has the old version in brackets; such a package was there before us.
  apt_get -s --no-install-recommends install "$@" | sed -nE 's/^Inst ([^ ]+) \(.*/\1/p' | LC_ALL=C sort -u
}

# apt_takes install|purge|autoremove [PACKAGE…]: which packages that would take away, one a line.
apt_takes() {
  apt_get -s --no-install-recommends "$@" | sed -nE 's/^(Remv|Purg) ([^ ]+).*/\2/p' | LC_ALL=C sort -u
}

# apt_ready PACKAGES: have apt fit to install these: nothing half-installed, and fresh lists.
apt_ready() {
  command -v apt-get >/dev/null ||
    die "$1 should be installed, but this host has no apt-get." "rocestack supports Debian and Ubuntu hosts."
  if [[ -n $(dpkg --audit) ]]; then
    DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a </dev/null >/dev/null ||
      die "dpkg has a half-installed package that cannot be finished." "see dpkg --audit on the host."
  fi
  apt_update
}

# apt_install PACKAGE…: install what is missing, and remember in the record whatever comes with it.
apt_install() {
  local package missing=() brought
  for package in "$@"; do
    package_installed "$package" || missing+=("$package")
  done
  [[ -n ${missing[*]} ]] || return 0
  apt_ready "${missing[*]}"
  brought=$(apt_brings "${missing[@]}") ||
    die "apt cannot install ${missing[*]}." "see its own words above; are the host's package sources right and reachable?"
  own[installed]=$(tr ' ' '\n' <<<"${own[installed]:-} $brought" | LC_ALL=C sort -u | xargs)
  record_write
  apt_get install --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt could not install ${missing[*]}." "see its own words above, then run up again."
}

apt_purge() {
  apt_get purge "$@" >/dev/null || die "apt could not remove $*." "see its own words above, then run the same command again."
}

# apt_purge_unneeded NAMES: purge what this step brought, except these and what anything else needs.
apt_purge_unneeded() {
  local package keep=" $1 " ours chosen=() safe=()
  [[ -n ${own[installed]:-} ]] || return 0
  ours=$(tr ' ' '\n' <<<"${own[installed]}")
  while read -r package; do
    if [[ $keep != *" $package "* ]]; then
      chosen+=("$package")
    fi
  done < <(comm -12 <(apt-mark showmanual | LC_ALL=C sort) <(printf '%s\n' "$ours"))
  if [[ -n ${chosen[*]} ]] && takes_others "${chosen[@]}"; then
    # One whose removal would take along a package that is not ours stays.
    for package in "${chosen[@]}"; do
      takes_others "$package" || safe+=("$package")
    done
    chosen=("${safe[@]}")
  fi
  [[ -z ${chosen[*]} ]] || apt_purge "${chosen[@]}"
  # What came along with them goes when nothing needs it any more.
  mapfile -t chosen < <(comm -12 <(apt_takes autoremove) <(printf '%s\n' "$ours"))
  [[ -z ${chosen[*]} ]] || apt_purge "${chosen[@]}"
}

# takes_others PACKAGE…: removing these would remove a package that is not in $ours.
takes_others() {
  local would
  would=$(apt_takes purge "$@") || die "apt cannot say what removing $* would take along."
  comm -23 <(printf '%s\n' "$would") <(printf '%s\n' "$ours") | grep -q .
}
