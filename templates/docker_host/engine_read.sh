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

# engine_packages FLAVOUR: the installed packages of that engine, one a line; a pinned engine holds them all.
engine_packages() {
  case $1 in
    docker.io) packages_there docker.io docker-cli containerd runc ;;
    docker-ce) packages_there docker-ce docker-ce-cli docker-ce-rootless-extras containerd.io ;;
  esac
}

package_version() { dpkg-query -W -f '${Version}' "$1"; }

bridge_addresses() { ip -4 -o address show dev docker0 2>/dev/null | awk '{ print $4 }'; }
