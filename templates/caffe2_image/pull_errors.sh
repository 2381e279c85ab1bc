# shellcheck disable=SC2154  # the script sets want
# Why a host could not have the image, in one sentence each; include it after host.sh.

# space_left: MB that are free where this engine keeps its images.
space_left() {
  local root
  root=$(docker info --format '{% raw %}{{.DockerRootDir}}{% endraw %}')
  df -Pm "$root" | awk 'NR == 2 { print $4 }'
}

# space_checked MB: an image of this size fits; while it is unpacked its packed layers are there too.
space_checked() {
  local free needs=$(($1 + $1 / 2))
  free=$(space_left)
  ((free >= needs)) ||
    die "$HOSTNAME has $free MB free for images, and the image needs about $needs MB." \
      "make room under $(docker info --format '{% raw %}{{.DockerRootDir}}{% endraw %}') on that host, for example: docker image prune"
}

# pull_failed REFERENCE SAID: what Docker's last line means.
pull_failed() {
  local registry=${1%%/*} last=${2##*$'\n'} again="on $HOSTNAME: docker pull $1"
  case $2 in
    *'no space left on device'*)
      die "$HOSTNAME has no disk space left for the image ($(space_left) MB free)." "make room there, for example: docker image prune; to try: $again"
      ;;
    *'manifest unknown'* | *': not found'*)
      die "the registry $registry has no image of the digest ${1##*@}." "run pulumi up again, which pushes it; to see: $again"
      ;;
    *'verification failed'* | *'does not match digest'*)
      die "the registry $registry gave $HOSTNAME other bytes than the digest ${1##*@} stands for: $last" \
        "its disk, or something on the way, is not to be trusted; to see: $again"
      ;;
    *x509* | *'certificate'*)
      die "$HOSTNAME does not trust the registry $registry: $last" "is that the registry whose CA is in /etc/docker/certs.d/$registry? To see: $again"
      ;;
    *) die "$HOSTNAME could not pull $1: $last" "does that name resolve there, and does no proxy of its engine stand between? To try: $again" ;;
  esac
}
