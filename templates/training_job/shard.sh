#!/bin/bash
# One shard: wait for Redis, meet all other shards there, run the unmodified trainer, print its figures.
#
# usage: rocestack-shard TRAINER_ARGUMENT...
#
# The trainer's own arguments name the run, the shard and Redis. Caffe2's store waits 30 s for the other shards and
# no longer, so nobody starts before all are here. ROCESTACK_BARRIER_SECONDS limits both waits (default 300).
#
# Lines of our own begin with "rocestack-shard:" and those of the trainer's CSV file with "rocestack-csv:".
# Exit status: the trainer's, or 90 wrong arguments, 91 Redis not reached, 92 other shards did not come,
# 93 run id used before, 94 shards hold different training data.
set -euo pipefail

trainer=/caffe2/caffe2/python/examples/resnet50_trainer.py

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

# Bytes received and sent by each network device and RDMA port of this container: "kind device rx tx" lines.
# An RDMA port counts in words of four bytes.
count_traffic() {
  sed -n 's/^ *\([^:]*\): *\(.*\)/\1 \2/p' /proc/net/dev | while read -r device rx _ _ _ _ _ _ _ tx _; do
    printf 'net %s %s %s\n' "$device" "$rx" "$tx"
  done
  local port rx tx device
  for port in /sys/class/infiniband/*/ports/*/counters; do
    [[ -r $port/port_rcv_data && -r $port/port_xmit_data ]] || continue
    rx=$(<"$port/port_rcv_data")
    tx=$(<"$port/port_xmit_data")
    device=${port#/sys/class/infiniband/}
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

meet() {
  local answer count missing i
  until [[ $(redis PING || :) == PONG ]]; do
    pause || fail 91 "Redis at $redis_host:$redis_port did not answer within $seconds s: $(redis PING || :)"
  done
  # What this shard will read. Equal values prove that all shards train on the same records.
  local manifest data=none
  manifest=$(dirname "$(option --train_data '')")/manifest
  [[ ! -r $manifest ]] || data=$(sha256sum <"$manifest" | cut -d' ' -f1)

  answer=$(redis HSETNX "$key" "$shard" "$data")
  case $answer in
    1) ;;
    0) fail 93 "shard $shard of run $run_id was here before: a new try needs a new run id" ;;
    *) fail 91 "Redis at $redis_host:$redis_port refused to write: $answer" ;;
  esac
  # A day; Redis itself lives no longer than the job.
  answer=$(redis EXPIRE "$key" 86400) || fail 91 "Redis at $redis_host:$redis_port went away: $answer"
  pause_ms=100
  while count=$(redis HLEN "$key"); [[ $count != "$shards" ]]; do
    pause && continue
    missing=
    for ((i = 0; i < shards; i++)); do
      [[ $(redis HEXISTS "$key" "$i") == 1 ]] || missing+=" $i"
    done
    fail 92 "only $count of $shards shards came within $seconds s, missing:$missing"
  done
  if (($(redis HVALS "$key" | sort -u | wc -l) != 1)); then
    fail 94 "the shards hold different training data: make the data set anew on each host"
  fi
}

arguments=("$@")
run_id=$(option --run_id '')
shard=$(option --shard_id 0)
shards=$(option --num_shards 1)
redis_host=$(option --redis_host '')
redis_port=$(option --redis_port 6379)
seconds=${ROCESTACK_BARRIER_SECONDS:-300}
[[ -n $run_id && -n $redis_host ]] || fail 90 "--run_id and --redis_host are required"
for number in "$shard" "$shards" "$redis_port" "$seconds"; do
  [[ $number =~ ^[0-9]+$ ]] || fail 90 "'$number' is not a whole number"
done
((shard < shards)) || fail 90 "--shard_id $shard is not below --num_shards $shards"
key=$run_id:barrier
deadline=$((SECONDS + seconds))
trap 'fail 143 "stopped while waiting for the other shards"' TERM INT # without it PID 1 ignores the signal

say "start run_id=$run_id shard=$shard shards=$shards transport=$(option --distributed_transport tcp)" \
  "interface=$(option --distributed_interfaces '')"
meet
say "all $shards shards are here after $SECONDS s"

declare -A traffic_before=()
while read -r kind device rx tx; do
  traffic_before[$kind $device]="$rx $tx"
done < <(count_traffic)

# A fresh folder holds the CSV file that the trainer writes to its working directory.
work=$(mktemp -d)
cd "$work"
python "$trainer" "$@" 2>&1 &
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
say "end exit=$status"
exit "$status"
