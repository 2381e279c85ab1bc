# shellcheck disable=SC2154  # own is record.sh's, want and step are the script's
# The packages of the Docker engine: one flavour at one version, what is in its way out, what was there known.

# engine_old FLAVOUR: the installed packages that make way for this flavour (guide: "Uninstall old versions").
engine_old() {
  case $1 in
    docker.io) packages_there docker docker-engine docker-ce docker-ce-cli docker-ce-rootless-extras containerd.io ;;
    docker-ce) packages_there docker docker-engine docker.io ;;
  esac
}

# Debian's docker.io empties /var/lib/docker when it is purged, with a script that it leaves there when it is
# removed. Images and volumes are not ours, and the next engine uses them.
engine_keep_data() {
  local script=/usr/share/docker.io/contrib/nuke-graph-directory.sh
  rm -f "/var/lib/docker/${script##*/}"
  [[ ! -e $script ]] || chmod a-x "$script"
}

# engine_remember: what a person had of an engine: its packages, which of them came along and which were held,
# and the units that were enabled.
engine_remember() {
  local package unit packages=() autos=() held=() units=()
  for package in $(engine_packages docker.io; engine_packages docker-ce; packages_there docker docker-engine); do
    # What an earlier run of ours brought was not there before.
    if [[ " ${own[installed]:-} " != *" $package "* ]]; then
      packages+=("$package=$(package_version "$package")")
      [[ -z $(apt-mark showauto "$package") ]] || autos+=("$package")
      [[ -z $(apt-mark showhold "$package") ]] || held+=("$package")
    fi
  done
  for unit in docker.service docker.socket containerd.service; do
    # Without such a unit it says nothing or not-found, and there is nothing to give back.
    case $(systemctl is-enabled "$unit" 2>/dev/null) in
      enabled) units+=("$unit=enable") ;;
      disabled) units+=("$unit=disable") ;;
    esac
  done
  own[before_packages]=${packages[*]}
  own[before_auto]=${autos[*]}
  own[before_held]=${held[*]}
  own[before_units]=${units[*]}
}

# engine_install: have the wanted package at the wanted version, in one transaction with what makes way for it.
engine_install() {
  local package=${want[package]} version=${want[version]} old chosen brought taken allowed orders=()
  old=$(engine_old "$package" | xargs)
  if package_installed "$package" && [[ -z $old && ($version == any || $(package_version "$package") == "$version") ]]; then
    return
  fi
  apt_ready "$package"
  chosen=("$package")
  if [[ $version != any ]]; then
    engine_offers "$package" | grep -qxF "$version" ||
      die "$package $version is in none of this host's package repositories; there is: $(engine_offers "$package" | xargs)" \
        "set docker.version to one of these, or docker.repository to where it is."
    chosen=("$package=$version")
    # The client comes apart since 18.09, and an older client than the engine lacks its orders.
    ! engine_offers docker-ce-cli | grep -qxF "$version" || [[ $package != docker-ce ]] || chosen+=("docker-ce-cli=$version")
  fi
  orders=(--allow-downgrades --allow-change-held-packages)
  # shellcheck disable=SC2206  # package names, one a word
  orders+=("${chosen[@]}" ${old// /- }${old:+-})
  brought=$(apt_brings "${orders[@]}") ||
    die "apt cannot install ${chosen[*]}." "see its own words above; are the host's package sources right and reachable?"
  taken=$(apt_takes install "${orders[@]}")
  # What the engine itself puts in place of another's parts is no harm; anything else is a person's.
  allowed=" $old containerd runc docker-cli containerd.io "
  for package in $taken; do
    [[ $allowed == *" $package "* ]] ||
      die "${chosen[*]} would take $package from this host." "remove $package yourself, or keep the engine that is there: docker.flavour."
  done
  own[installed]=$(tr ' ' '\n' <<<"${own[installed]:-} $brought" | LC_ALL=C sort -u | xargs)
  record_write
  engine_keep_data
  apt_get install --no-install-recommends "${orders[@]}" >/dev/null ||
    die "apt could not install ${chosen[*]}." "see its own words above, then run up again."
  engine_forget "$taken"
}

# engine_offers PACKAGE: the versions that apt knows, one a line.
engine_offers() { LC_ALL=C apt-cache madison "$1" | awk '{ print $3 }' | LC_ALL=C sort -u; }

# engine_forget PACKAGES: of what made way, what was ours goes with its configuration, and is ours no more.
engine_forget() {
  local package left=()
  for package in ${own[installed]:-}; do
    if [[ $'\n'"$1"$'\n' == *$'\n'"$package"$'\n'* ]]; then
      apt_purge "$package"
    else
      left+=("$package")
    fi
  done
  own[installed]=${left[*]}
  record_write
}

# engine_hold: keep upgrades of the host from the engine while it is pinned; other holds are a person's.
engine_hold() {
  local package
  for package in $(engine_packages "${want[package]}"); do
    if [[ ${want[hold]} == yes ]]; then
      apt-mark hold "$package" >/dev/null
    elif [[ ${had[hold]:-no} == yes && " ${own[before_held]:-} " != *" $package "* ]]; then
      apt-mark unhold "$package" >/dev/null
    fi
  done
}

# engine_give_back: after ours is gone, have again what a person had, or say what is missing of it.
engine_give_back() {
  local one package back=() unit order
  for one in ${own[before_packages]:-}; do
    package=${one%%=*}
    if [[ $(packages_there "$package") == '' || $(package_version "$package") != "${one#*=}" ]]; then
      back+=("$one")
    fi
  done
  if [[ -n ${back[*]} ]]; then
    if (apt_ready "${back[*]}" && apt_get install --no-install-recommends --allow-downgrades \
      --allow-change-held-packages "${back[@]}") >/dev/null; then
      # shellcheck disable=SC2086  # package names, one a word
      [[ -z ${own[before_auto]:-} ]] || apt-mark auto ${own[before_auto]} >/dev/null
    else
      printf 'rocestack: this host had %s before; apt cannot bring them back (see above), so do it by hand.\n' "${back[*]}" >&2
    fi
  fi
  for one in ${own[before_held]:-}; do
    apt-mark hold "$one" >/dev/null
  done
  for one in ${own[before_units]:-}; do
    unit=${one%=*}
    order=${one##*=}
    # The vendor's units may have other names; then there is nothing to give back.
    if systemctl cat "$unit" >/dev/null 2>&1; then
      systemctl "$order" --quiet "$unit"
    fi
  done
}
