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
packages_there() {
  local package
  for package in "$@"; do
    if [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]]; then
      printf '%s\n' "$package"
    fi
  done
}

package_version() { dpkg-query -W -f '${Version}' "$1"; }

# pinned_facts PACKAGE: version and hold of the package, where they are pinned.
pinned_facts() {
  local held
  [[ ${want[version]:-any} != any ]] || return 0
  if [[ -z $(packages_there "$1") ]]; then
    fact version absent
    fact hold no
    return
  fi
  fact version "$(package_version "$1")"
  held=$(apt-mark showhold "$1")
  if [[ -n $held ]]; then
    fact hold yes
  else
    fact hold no
  fi
}

bridge_addresses() {
  [[ -e /sys/class/net/docker0 ]] || return 0
  ip -4 -o address show dev docker0 | awk '{ print $4 }'
}
