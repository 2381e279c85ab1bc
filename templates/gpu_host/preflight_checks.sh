# shellcheck disable=SC2154  # want is the script's
# What must be right on a host before anything is changed there. Read only; the same checks run in the probe
# of a host to which nothing was applied yet, and as the first step. Include it after kernel_read.sh.
#
# want: stack, driver (none or its version), gpus (any or how many), driver_releases and ofed_releases (any or
# ubuntu16.04 debian12 …), ofed (its flavour), space_mb.

# preflight_problems: everything that is wrong, one sentence a line.
preflight_problems() {
  preflight_owner
  preflight_release
  [[ ${want[driver]} == none && ${want[ofed]} == inbox ]] || preflight_kernel
  preflight_cards
  preflight_space
}

# preflight_stack: the stack that has this host, or nothing.
preflight_stack() {
  local record=/var/lib/rocestack/gpu_host.preflight
  [[ ! -e $record ]] || sed -nE "s/^stack: '(.*)'$/\1/p" "$record"
}

preflight_owner() {
  local owner
  owner=$(preflight_stack)
  [[ -z $owner || $owner == "${want[stack]}" ]] ||
    echo "it belongs to the stack '$owner', not to '${want[stack]}'; destroy that one first, or remove /var/lib/rocestack there if it is gone"
}

preflight_release() {
  local ID='' VERSION_ID='' release
  # shellcheck source=/dev/null
  . /etc/os-release
  release=$ID${VERSION_ID%%.*}
  [[ $ID != ubuntu ]] || release=$ID$VERSION_ID
  case $ID in
    ubuntu | debian) ;;
    *)
      echo "it runs ${ID:-an unknown system}; supported are Ubuntu and Debian"
      return
      ;;
  esac
  [[ ${want[driver_releases]} == any || " ${want[driver_releases]} " == *" $release "* ]] ||
    echo "it runs $release, but the driver ${want[driver]} of the stack is made for ${want[driver_releases]}"
  [[ ${want[ofed_releases]} == any || " ${want[ofed_releases]} " == *" $release "* ]] ||
    echo "it runs $release, but the ${want[ofed]} of the stack is made for ${want[ofed_releases]}"
}

# Modules are built for the running kernel; another one after the next boot would be without them.
preflight_kernel() {
  local running newest
  running=$(uname -r)
  newest=$(kernel_newest)
  if [[ -z $newest ]]; then
    echo "its kernel $running comes from no package, so there are no headers for it; install a kernel of the distribution"
    return
  fi
  [[ $running == "$newest" ]] || echo "it runs the kernel $running, but $newest is installed; reboot it first"
  [[ -e /lib/modules/$running/build/Makefile ]] || headers_available "$running" ||
    echo "no package has headers for its kernel $running; install a kernel of the distribution's, or add its source"
  if secure_boot; then
    echo "secure boot is on, so its kernel refuses the modules that are built here; turn it off in the firmware's settings"
  fi
}

# Without lists apt knows no package at all, which the first update changes.
headers_available() {
  local said
  said=$(LC_ALL=C apt-cache policy "linux-headers-$1" 2>/dev/null)
  [[ $said == *Candidate:* && $said != *'Candidate: (none)'* ]] && return 0
  [[ -z $(find /var/lib/apt/lists -maxdepth 1 -type f -name '*Packages*' -print -quit) ]]
}

secure_boot() {
  local state
  if command -v mokutil >/dev/null; then
    [[ $(mokutil --sb-state 2>/dev/null) == *'SecureBoot enabled'* ]]
    return
  fi
  # A container sees the firmware of the machine around it, whose kernel it cannot change anyway.
  state=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
  [[ -r $state && $(tail -c 1 "$state" | od -An -tu1) -eq 1 ]]
}

preflight_cards() {
  local found
  if ! command -v lspci >/dev/null; then
    [[ ${want[driver]} == none && ${want[ofed]} == inbox ]] || echo "it has no lspci to look for its cards with; install pciutils"
    return
  fi
  if [[ ${want[driver]} != none ]]; then
    # Display controllers of NVIDIA: VGA (0300) and 3D (0302).
    found=$(lspci -n -d 10de: | grep -cE '^[^ ]+ 030[02]:') || true
    if [[ $found -eq 0 ]]; then
      echo "there is no GPU of NVIDIA on its PCI bus (lspci -d 10de:)"
    elif [[ ${want[gpus]} != any && $found -ne ${want[gpus]} ]]; then
      echo "there are $found GPUs on its PCI bus, not the ${want[gpus]} of the stack (lspci -d 10de:)"
    fi
  fi
  # Network controllers of Mellanox: Ethernet (0200) and InfiniBand (0207).
  if [[ ${want[ofed]} != inbox ]]; then
    lspci -n -d 15b3: | grep -qE '^[^ ]+ 020[07]:' || echo "there is no ConnectX card on its PCI bus (lspci -d 15b3:)"
  fi
}

preflight_space() {
  local folder free
  for folder in / /var; do
    free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
    if ((free < want[space_mb])); then
      echo "there are $free MB free in $folder, and ${want[space_mb]} MB are needed"
      return
    fi
  done
}
