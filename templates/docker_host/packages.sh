# shellcheck disable=SC2154  # own is record.sh's
# Packages at one version, held while they are pinned; include it after apt.sh and engine_read.sh.

# package_offers PACKAGE: the versions that apt knows, one a line.
package_offers() { LC_ALL=C apt-cache madison "$1" | awk '{ print $3 }' | LC_ALL=C sort -u; }

# package_pinned PACKAGE VERSION SETTING: the package at this version, or any, as apt takes it: PACKAGE=VERSION,
# one a line, with all that it needs at one very version. apt alone would choose the newest of those, and fail.
package_pinned() {
  local todo=("$1=$2") one need
  if [[ $2 == any ]]; then
    printf '%s\n' "$1"
    return
  fi
  package_offers "$1" | grep -qxF "$2" ||
    die "$1 $2 is in none of this host's package repositories; there is: $(package_offers "$1" | xargs)" \
      "set docker.$3 to one of these, or its repository to where it is."
  while [[ -n ${todo[*]:-} ]]; do
    one=${todo[0]}
    todo=("${todo[@]:1}")
    printf '%s\n' "$one"
    while read -r need; do
      todo+=("$need")
    done < <(apt-cache show "$one" | sed -nE 's/^(Pre-)?Depends: //p' | tr ',' '\n' |
      sed -nE 's/^ *([a-z0-9.+-]+)(:any)? \(= ([^)]+)\) *$/\1=\3/p')
  done
}

# packages_remember NAME PACKAGE…: what of these a person had, with their versions, which of them came along and
# which were held: before_NAME, before_NAME_auto, before_NAME_held.
packages_remember() {
  local name=$1 package there=() autos=() held=()
  shift
  for package in $(packages_there "$@"); do
    # What an earlier run of ours brought was not there before.
    if [[ " ${own[installed]:-} " != *" $package "* ]]; then
      there+=("$package=$(package_version "$package")")
      [[ -z $(apt-mark showauto "$package") ]] || autos+=("$package")
      [[ -z $(apt-mark showhold "$package") ]] || held+=("$package")
    fi
  done
  own[before_$name]=${there[*]:-}
  own[before_${name}_auto]=${autos[*]:-}
  own[before_${name}_held]=${held[*]:-}
}

# packages_install ALLOWED ORDER…: one transaction of apt, which may take away the ALLOWED packages and no other.
# An ORDER is PACKAGE=VERSION, PACKAGE, or PACKAGE- to take it away.
packages_install() {
  local allowed=" $1 " brought taken package
  shift
  set -- --allow-downgrades --allow-change-held-packages "$@"
  brought=$(apt_brings "$@") ||
    die "apt cannot install ${*:3}." "see its own words above; are the host's package sources right and reachable?"
  taken=$(apt_takes install "$@")
  for package in $taken; do
    [[ $allowed == *" $package "* ]] ||
      die "installing ${*:3} would take $package from this host." "remove $package yourself, or leave the stack's flavour as it is."
  done
  own[installed]=$(tr ' ' '\n' <<<"${own[installed]:-} $brought" | LC_ALL=C sort -u | xargs)
  record_write
  apt_get install --no-install-recommends "$@" >/dev/null ||
    die "apt could not install ${*:3}." "see its own words above, then run up again."
  packages_forget "$taken"
}

# packages_forget PACKAGES: of what made way, what was ours goes with its configuration, and is ours no more.
packages_forget() {
  local package left=()
  for package in ${own[installed]:-}; do
    if [[ $'\n'"$1"$'\n' == *$'\n'"$package"$'\n'* ]]; then
      apt_purge "$package"
    else
      left+=("$package")
    fi
  done
  own[installed]=${left[*]:-}
  record_write
}

# packages_hold NAME PACKAGE…: keep upgrades of the host from what is pinned; the holds that a person had stay.
packages_hold() {
  local name=$1 package
  shift
  for package in $(packages_there "$@"); do
    if [[ ${want[hold]:-no} == yes ]]; then
      apt-mark hold "$package" >/dev/null
    elif [[ ${had[hold]:-no} == yes && " ${own[before_${name}_held]:-} " != *" $package "* ]]; then
      apt-mark unhold "$package" >/dev/null
    fi
  done
}

# packages_give_back NAME: after ours is gone, have again what a person had, or say what is missing of it.
packages_give_back() {
  local one package back=() before=before_$1
  for one in ${own[$before]:-}; do
    package=${one%%=*}
    if [[ -z $(packages_there "$package") || $(package_version "$package") != "${one#*=}" ]]; then
      back+=("$one")
    fi
  done
  if [[ -n ${back[*]:-} ]]; then
    if (apt_ready "${back[*]}" && apt_get install --no-install-recommends --allow-downgrades \
      --allow-change-held-packages "${back[@]}") >/dev/null; then
      # shellcheck disable=SC2086  # package names, one a word
      [[ -z ${own[${before}_auto]:-} ]] || apt-mark auto ${own[${before}_auto]} >/dev/null
    else
      printf 'rocestack: this host had %s before; apt cannot bring them back (see above), so do it by hand.\n' "${back[*]}" >&2
    fi
  fi
  for one in ${own[${before}_held]:-}; do
    apt-mark hold "$one" >/dev/null
  done
}
