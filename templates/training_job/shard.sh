#!/bin/bash
# One shard: look at the data and the card, meet all other shards in Redis, run the unmodified trainer, print figures.
#
# usage: rocestack-shard TRAINER_ARGUMENT...
#
# The trainer's own arguments name the run, the shard and Redis. Caffe2's store waits 30 s for the other shards and
# no longer, so nobody starts before all are here, and shard 0 starts last. In the environment:
#   ROCESTACK_BARRIER_SECONDS  limits the wait for Redis and for the other shards (default 300)
#   ROCESTACK_GID_INDEX        over ibverbs: index in the card's GID table, or auto. Set, the trainer runs with our
#                              library for verbs, which also reads ROCESTACK_TRAFFIC_CLASS and ROCESTACK_ACK_TIMEOUT
#   ROCESTACK_DATA_ADDRESS     over ibverbs: the host's IPv4 address on the data network; its GID is looked for
#   ROCESTACK_RDMA_DEVICE      over ibverbs: the card's RDMA device (default: the one that has that GID)
#   ROCESTACK_SYS              where sysfs is (default /sys)
#
# Lines of our own begin with "rocestack-shard:" and those of the trainer's CSV file with "rocestack-csv:".
# Exit status: the trainer's, or 90 wrong arguments, 91 Redis not reached, 92 other shards did not come,
# 93 run id used before, 94 shards hold different training data, 95 no usable training data, 96 no usable RDMA
# device or GID, 97 our library is missing.
set -euo pipefail

trainer=/caffe2/caffe2/python/examples/resnet50_trainer.py
library=/usr/local/lib/rocestack/librocestack_verbs.so
sys=${ROCESTACK_SYS:-/sys}

say() { printf 'rocestack-shard: %s\n' "$*"; }

fail() {
  local status=$1
  shift
  say "error $status: $*"
  exit "$status"
}

# The value after option $1 in the trainer's arguments, or $2.
option() {
  local name=$1 value=$2 i
  for ((i = 0; i < ${#arguments[@]}; i++)); do
    case ${arguments[i]} in
      "$name") value=${arguments[i + 1]:-} ;;
      "$name"=*) value=${arguments[i]#*=} ;;
    esac
  done
  printf '%s' "$value"
}

redis() { timeout 5 redis-cli -h "$redis_host" -p "$redis_port" "$@" 2>&1; }

# Wait a little longer each time, from 0.1 s to 1 s; false once the deadline has passed.
pause_ms=100
pause() {
  ((SECONDS < deadline)) || return 1
  sleep "$((pause_ms / 1000)).$(printf '%03d' $((pause_ms % 1000)))"
  pause_ms=$((pause_ms * 2 > 1000 ? 1000 : pause_ms * 2))
}

# The number at byte $2 of file $1, $3 bytes long.
number_at() { od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' \n'; }

# Is the LMDB in folder $1 whole? Its two first pages each tell the last page in use; the newer one counts. A file
# that ends before it kills the trainer in mid-epoch, without a word. REPLY: its records.
check_lmdb() {
  local file=$1/data.mdb size page_size at last
  [[ -d $1 ]] || fail 95 "there is no training data at $1 on this host"
  [[ -r $file ]] || fail 95 "the training data at $1 has no readable data.mdb"
  size=$(stat -L -c %s "$file")
  if ((size < 8192)) || [[ $(number_at "$file" 16 4) != 3203383518 ]]; then
    fail 95 "$file is no LMDB ($size bytes)"
  fi
  page_size=$(number_at "$file" 40 4)
  at=0
  if (($(number_at "$file" $((page_size + 144)) 8) > $(number_at "$file" 144 8))); then
    at=$page_size
  fi
  last=$(number_at "$file" $((at + 136)) 8)
  REPLY=$(number_at "$file" $((at + 120)) 8)
  ((size >= (last + 1) * page_size)) ||
    fail 95 "$file is cut off: it has $size bytes of $(((last + 1) * page_size))"
  ((REPLY > 0)) || fail 95 "$file has no record"
}

check_data() {
  local train=null test=null train_data test_data
  train_data=$(option --train_data '')
  test_data=$(option --test_data '')
  if [[ $(option --db_type lmdb) == lmdb ]]; then
    if [[ $train_data != null ]]; then
      check_lmdb "$train_data"
      train=$REPLY
    fi
    if [[ -n $test_data ]]; then
      check_lmdb "$test_data"
      test=$REPLY
    fi
  fi
  # What this shard will read. Equal values prove that all shards train on the same records.
  manifest=$(dirname "$train_data")/manifest
  data=none
  [[ ! -r $manifest ]] || data=$(sha256sum <"$manifest" | cut -d' ' -f1)
  say "data train_records=$train test_records=$test manifest=$data"
}

# What the GID tables of all cards hold, for a person.
list_gids() {
  local gid device between=' '
  for gid in "$sys"/class/infiniband/*/ports/1/gids/*; do
    [[ -r $gid && $(<"$gid") != 0000:0000:0000:0000:0000:0000:0000:0000 ]] || continue
    device=${gid#"$sys/class/infiniband/"}
    printf '%s%s index %s (%s, %s)' "$between" "${device%%/*}" "${gid##*/}" "$(gid_type "$gid")" "$(<"$gid")"
    between='; '
  done
}

# The type of a GID by its file: "RoCE v2", "IB/RoCE v1". An empty slot has none, and reading it is an error.
gid_type() { cat "${1%/gids/*}/gid_attrs/types/${1##*/}" 2>/dev/null || printf 'no type'; }

# Find the card by the RoCE v2 GID of the data address: only such packets carry a DSCP. Gloo uses port 1.
find_gid() {
  local address=${ROCESTACK_DATA_ADDRESS:-} wanted_device=${ROCESTACK_RDMA_DEVICE:-} part gid found node
  local octets
  IFS=. read -ra octets <<<"$address"
  [[ $address =~ ^[0-9]+(\.[0-9]+){3}$ ]] || fail 90 "ROCESTACK_DATA_ADDRESS is '$address', no IPv4 address"
  part=$(printf '%02x%02x:%02x%02x' "${octets[@]}")
  rdma_device='' gid_index=''
  for gid in "$sys"/class/infiniband/*/ports/1/gids/*; do
    found=${gid#"$sys/class/infiniband/"}
    found=${found%%/*}
    [[ -z $wanted_device || $wanted_device == "$found" ]] || continue
    [[ $ROCESTACK_GID_INDEX == auto || $ROCESTACK_GID_INDEX == "${gid##*/}" ]] || continue
    [[ -r $gid && $(<"$gid") == "0000:0000:0000:0000:0000:ffff:$part" && $(gid_type "$gid") == "RoCE v2" ]] ||
      continue
    rdma_device=$found
    gid_index=${gid##*/}
    break
  done
  if [[ -z $rdma_device ]]; then
    found=$(list_gids)
    fail 96 "no RoCE v2 GID of $address at index $ROCESTACK_GID_INDEX of ${wanted_device:-any RDMA device}," \
      "there is:${found:- none}"
  fi
  node=$(grep -lxF "$rdma_device" "$sys"/class/infiniband_verbs/*/ibdev 2>/dev/null | head -n 1) || node=''
  node=${node%/ibdev}
  [[ -z $node || -e /dev/infiniband/${node##*/} ]] ||
    fail 96 "the container has no /dev/infiniband/${node##*/}, which is the node of $rdma_device"
}

# Bytes received and sent by each network device and RDMA port of this container: "kind device rx tx" lines.
# An RDMA port counts in words of four bytes.
count_traffic() {
  sed -n 's/^ *\([^:]*\): *\(.*\)/\1 \2/p' /proc/net/dev | while read -r device rx _ _ _ _ _ _ _ tx _; do
    printf 'net %s %s %s\n' "$device" "$rx" "$tx"
  done
  local port rx tx device
  for port in "$sys"/class/infiniband/*/ports/*/counters; do
    [[ -r $port/port_rcv_data && -r $port/port_xmit_data ]] || continue
    rx=$(<"$port/port_rcv_data")
    tx=$(<"$port/port_xmit_data")
    device=${port#"$sys/class/infiniband/"}
    printf 'rdma %s %s %s\n' "${device%%/*}" "$((rx * 4))" "$((tx * 4))"
  done
}

print_traffic() {
  local kind device rx tx
  while read -r kind device rx tx; do
    read -r rx_before tx_before <<<"${traffic_before[$kind $device]:-0 0}"
    say "traffic kind=$kind device=$device rx_bytes=$((rx - rx_before)) tx_bytes=$((tx - tx_before))"
  done < <(count_traffic)
}

# The shards that have no field in hash $1, of those from $2 on.
missing_in() {
  local i
  for ((i = $2; i < shards; i++)); do
    [[ $(redis HEXISTS "$1" "$i") == 1 ]] || printf ' %d' "$i"
  done
}

# Set this shard's field in hash $1 to $2. Only the first to do so may go on.
enter() {
  local answer
  answer=$(redis HSETNX "$1" "$shard" "$2") || :
  case $answer in
    1) ;;
    0) fail 93 "shard $shard of run $run_id was here before: a new try needs a new run id" ;;
    *) fail 91 "Redis at $redis_host:$redis_port refused to write: $answer" ;;
  esac
  # A day; Redis itself lives no longer than the job.
  answer=$(redis EXPIRE "$1" 86400) || fail 91 "Redis at $redis_host:$redis_port went away: $answer"
}

# Wait until hash $1 has $2 fields; shards from $3 on are those that count. $4: what they failed to do. A Redis that
# is away or was started anew in the meantime has forgotten who came, so the rest of the wait would be for nothing.
wait_for() {
  local count heard=$SECONDS
  pause_ms=100
  deadline=$((SECONDS + seconds))
  while count=$(redis HLEN "$1") || :; [[ $count != "$2" ]]; do
    if [[ $count =~ ^[0-9]+$ ]]; then
      heard=$SECONDS
      [[ $(redis HEXISTS "$key" "$shard") != 0 ]] ||
        fail 91 "Redis at $redis_host:$redis_port was started anew while the shards met, and forgot who had come"
    elif ((SECONDS - heard >= 10)); then
      fail 91 "Redis at $redis_host:$redis_port went away: $count"
    fi
    pause && continue
    [[ $count =~ ^[0-9]+$ ]] || fail 91 "Redis at $redis_host:$redis_port went away: $count"
    fail 92 "only $count of $2 shards $4 within $seconds s, missing:$(missing_in "$1" "$3")"
  done
}

meet() {
  deadline=$((SECONDS + seconds))
  until [[ $(redis PING || :) == PONG ]]; do
    pause || fail 91 "Redis at $redis_host:$redis_port did not answer within $seconds s: $(redis PING || :)"
  done
  enter "$key" "$data"
  wait_for "$key" "$shards" 0 came
  if (($(redis HVALS "$key" | sort -u | wc -l) != 1)); then
    fail 94 "the shards hold different training data: make the data set anew on each host"
  fi
}

# Workers first: shard 0 goes when all others have gone.
take_turn() {
  if ((shard > 0)); then
    enter "$key:gone" yes
  elif ((shards > 1)); then
    wait_for "$key:gone" "$((shards - 1))" 1 started
  fi
}

arguments=("$@")
run_id=$(option --run_id '')
shard=$(option --shard_id 0)
shards=$(option --num_shards 1)
redis_host=$(option --redis_host '')
redis_port=$(option --redis_port 6379)
transport=$(option --distributed_transport tcp)
interface=$(option --distributed_interfaces '')
seconds=${ROCESTACK_BARRIER_SECONDS:-300}
[[ -n $run_id && -n $redis_host ]] || fail 90 "--run_id and --redis_host are required"
for number in "$shard" "$shards" "$redis_port" "$seconds"; do
  [[ $number =~ ^[0-9]+$ ]] || fail 90 "'$number' is not a whole number"
done
((shard < shards)) || fail 90 "--shard_id $shard is not below --num_shards $shards"
command -v redis-cli >/dev/null || fail 91 "this image lacks redis-cli, so the shards cannot meet"
key=$run_id:barrier
trap 'fail 143 "stopped while waiting for the other shards"' TERM INT # without it PID 1 ignores the signal

identity="run_id=$run_id shard=$shard shards=$shards transport=$transport interface=$interface"
device=$interface
preload=(env) # never empty: to the guide's bash 4.3 an empty array is an unset variable
if [[ $transport == ibverbs && -n ${ROCESTACK_GID_INDEX:-} ]]; then
  find_gid
  device=$rdma_device
  identity+=" gid_index=$gid_index"
  preload=(env "LD_PRELOAD=$library" "ROCESTACK_GID_INDEX=$gid_index")
  arguments+=(--distributed_interfaces "$device") # the last one counts
fi
identity+=" device=$device"
say "start $identity"
# The loader only warns of a missing library and goes on without it.
[[ ${#preload[@]} == 1 || -r $library ]] || fail 97 "this image lacks $library, so the traffic would not be marked"
check_data
meet
say "all $shards shards are here after $SECONDS s"
take_turn

declare -A traffic_before=()
while read -r kind name rx tx; do
  traffic_before[$kind $name]="$rx $tx"
done < <(count_traffic)

# A fresh folder holds the CSV file that the trainer writes to its working directory.
work=$(mktemp -d "$(option --file_store_path /tmp)/run.XXXXXX")
cd "$work"
# A trainer that aborts would write all of its memory there, into the host's.
ulimit -c 0
"${preload[@]}" python "$trainer" "${arguments[@]}" 2>&1 &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || :' TERM INT
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do # a signal ended the wait, not the trainer
  status=0
  wait "$child" || status=$?
done
print_traffic
for csv in "$work"/*.log; do
  [[ -r $csv ]] || continue
  sed 's/^/rocestack-csv: /' "$csv"
done
# A log that was cut at its limit has lost its first lines, so the end tells whose it is too.
say "end exit=$status $identity"
exit "$status"
