# engine_check RUNTIME: run a container (guide: "A quick check on each host"). No registry is asked: the image is made
# on the spot of the one static program that every Debian and Ubuntu host has.
engine_check() {
  local image=rocestack-check:1 program=/sbin/ldconfig said status=0
  # Ubuntu's ldconfig is a script around the program.
  [[ ! -e $program.real ]] || program=$program.real
  tar -C / -c "${program#/}" | docker import - "$image" >/dev/null || die "the Docker engine takes no image." "on the host: journalctl -u docker"
  said=$(timeout 120 docker run --rm --runtime "$1" "$image" "$program" --version 2>&1) || status=$?
  docker image rm --force "$image" >/dev/null
  ((status == 0)) || die "the Docker engine runs no container: ${said##*$'\n'}" "on the host: journalctl -u docker"
}
