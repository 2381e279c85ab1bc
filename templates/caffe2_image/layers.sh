# What `docker pull` and `docker push` say, as one line every five seconds.

# layers_told WHAT LOG COMMAND…: run COMMAND, which speaks of layers; all that it says is in LOG. Its status is returned.
layers_told() {
  local what=$1 log=$2
  shift 2
  : >"$log"
  "$@" </dev/null 2>&1 | layers_read "$what" "$log"
}

# layers_read WHAT LOG: from standard input.
layers_read() {
  local line status total=0 over=0 last=$SECONDS
  while :; do
    status=0
    # A large layer says nothing for a while; then the time alone goes on.
    IFS= read -r -t 5 line || status=$?
    if ((status == 0)); then
      printf '%s\n' "$line" >>"$2"
      case $line in
        *': Pulling fs layer' | *': Preparing') total=$((total + 1)) ;;
        *': Pull complete' | *': Pushed' | *': Layer already exists' | *': Mounted from '*) over=$((over + 1)) ;;
        *': Already exists') total=$((total + 1)) over=$((over + 1)) ;;
      esac
    elif ((status <= 128)); then
      return 0
    fi
    if ((SECONDS - last >= 5)); then
      last=$SECONDS
      printf '%s: %d of %d layers after %d s\n' "$1" "$over" "$total" "$SECONDS" >&2
    fi
  done
}
