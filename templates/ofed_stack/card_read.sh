# shellcheck disable=SC2154  # the script sets want
# The ConnectX card: where it is on the PCI bus, and which of its drivers runs. Read only.

# card_functions: the PCI addresses of Mellanox' functions, one a line; 1 without lspci.
card_functions() {
  command -v lspci >/dev/null || return 1
  lspci -D -n -d 15b3: | awk '{ print $1 }'
}

# driver_read: the version of the card's driver that runs (none: it does not; inbox: it names none), and of the
# one that is installed for the running kernel (absent, or inbox).
driver_read() {
  local folder=${want[sysfs_root]}/module/mlx5_core
  driver_loaded=none
  if [[ -d $folder ]]; then
    driver_loaded=inbox
    if [[ -r $folder/version ]]; then
      driver_loaded=$(<"$folder/version")
    fi
  fi
  # The error text of an unknown module is the answer "absent".
  driver_installed=$(modinfo -F version mlx5_core 2>/dev/null) || driver_installed=absent
  driver_installed=${driver_installed:-inbox}
}

# driver_is_current FLAVOUR: the installed driver is the one that runs. The distribution's may be loaded later,
# when the kernel meets the card; OFED's must run.
driver_is_current() {
  driver_read
  [[ $driver_loaded == "$driver_installed" || ($1 == inbox && $driver_loaded == none) ||
    ($1 == inbox && $driver_loaded == inbox) ]]
}
