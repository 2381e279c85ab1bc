# engine_package sets REPLY to the package that provides dockerd: docker.io, docker-ce, other or absent.
engine_package() {
  local path
  REPLY=absent
  path=$(command -v dockerd) || return 0
  case $(dpkg-query -S "$(readlink -f "$path")" 2>/dev/null) in
    docker.io:*) REPLY=docker.io ;;
    docker-ce:*) REPLY=docker-ce ;;
    *) REPLY=other ;;
  esac
}

# packages_there PACKAGE…: those of them that are installed, one a line.
# shellcheck disable=SC2329  # a script uses what it needs
packages_there() {
  local package
  for package in "$@"; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]]; then
      printf '%s\n' "$package"
    fi
  done
}

# shellcheck disable=SC2329  # a script uses what it needs
package_version() { dpkg-query -W -f '${Version}' "$1"; }

# engine_parts FLAVOUR: the packages of that engine, the one that is named by the stack first.
engine_parts() {
  case $1 in
    docker.io) printf '%s\n' docker.io docker-cli containerd runc ;;
    docker-ce) printf '%s\n' docker-ce docker-ce-cli docker-ce-rootless-extras containerd.io ;;
  esac
}

# pinned_facts PACKAGE PART…: version and hold of the package, where they are pinned; the hold also of its parts.
pinned_facts() {
  local selection status version package main=$1 there=absent held=no loose=()
  [[ ${want[version]:-any} != any ]] || return 0
  # dpkg-query says nothing of a name that it does not know.
  while read -r package selection status version; do
    [[ $status == installed ]] || continue
    if [[ $package == "$main" ]]; then
      there=$version
      if [[ $selection == hold ]]; then
        held=yes
      fi
    elif [[ $selection != hold ]]; then
      loose+=("$package")
    fi
  done < <(dpkg-query -W -f '${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n' "$@" 2>/dev/null)
  fact version "$there"
  if [[ $held == yes && -n ${loose[*]} ]]; then
    held="yes, but not ${loose[*]}"
  fi
  fact hold "$held"
}

bridge_addresses() {
  [[ -e /sys/class/net/docker0 ]] || return 0
  ip -4 -o address show dev docker0 | awk '{ print $4 }'
}
