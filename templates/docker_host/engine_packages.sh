# shellcheck disable=SC2154  # own is record.sh's, want is the script's
# The packages of the Docker engine: one flavour at one version, and what is in its way; include it after
# packages.sh.

# engine_packages FLAVOUR: the installed packages of that engine, one a line; a pinned engine holds them all.
engine_packages() {
  # shellcheck disable=SC2046  # package names, one a word
  packages_there $(engine_parts "$1")
}

# Debian's docker.io empties /var/lib/docker when it is purged, with a script that it leaves there when it is
# removed. Images and volumes are not ours, and the next engine uses them.
engine_keep_data() {
  local script=/usr/share/docker.io/contrib/nuke-graph-directory.sh
  rm -f "/var/lib/docker/${script##*/}"
  [[ ! -e $script ]] || chmod a-x "$script"
}

# engine_remember: what a person had of an engine: its packages, and the units that were enabled.
engine_remember() {
  local unit units=()
  # shellcheck disable=SC2046  # package names, one a word
  packages_remember packages docker docker-engine $(engine_packages docker.io; engine_packages docker-ce)
  for unit in docker.service docker.socket containerd.service; do
    # Without such a unit it says nothing or not-found, and there is nothing to give back.
    case $(systemctl is-enabled "$unit" 2>/dev/null) in
      enabled) units+=("$unit=enable") ;;
      disabled) units+=("$unit=disable") ;;
    esac
  done
  own[before_units]=${units[*]:-}
}

# engine_install: have the wanted package at the wanted version, in one transaction with what makes way for it
# (guide: "Uninstall old versions").
engine_install() {
  local package=${want[package]} version=${want[version]} old orders
  case $package in
    docker.io) old=$(packages_there docker docker-engine docker-ce docker-ce-cli docker-ce-rootless-extras containerd.io) ;;
    docker-ce) old=$(packages_there docker docker-engine docker.io) ;;
    *) die "package can be 'docker.io' or 'docker-ce', not '$package'." ;;
  esac
  if [[ -n $(packages_there "$package") && -z $old && ($version == any || $(package_version "$package") == "$version") ]]; then
    return
  fi
  apt_ready "$package"
  orders=$(package_pinned "$package" "$version" version)
  # The client is a package of its own since 18.09; an older one than the engine lacks its orders.
  if [[ $package == docker-ce && $version != any ]] && package_offers docker-ce-cli | grep -qxF "$version"; then
    orders+=" docker-ce-cli=$version"
  fi
  engine_keep_data
  # What the engine itself puts in place of another's parts is no harm either.
  # shellcheck disable=SC2086  # package names, one a word
  packages_install "${old//$'\n'/ } containerd runc docker-cli containerd.io" $orders ${old//$'\n'/- }${old:+-}
}

# engine_give_back: the packages that a person had, and the units as they were enabled.
engine_give_back() {
  local one unit order
  packages_give_back packages
  for one in ${own[before_units]:-}; do
    unit=${one%=*}
    order=${one##*=}
    # Another flavour's units may have other names; then there is nothing to give back.
    if systemctl cat "$unit" >/dev/null 2>&1; then
      systemctl "$order" --quiet "$unit"
    fi
  done
}
