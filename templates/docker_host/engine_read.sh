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

bridge_addresses() { ip -4 -o address show dev docker0 2>/dev/null | awk '{ print $4 }'; }
