#!/usr/bin/env bash
# A Slurm of one node on this machine, for as long as this script runs, and a prediction as an array of eight tasks on it:
#   apt-get install slurm-wlm munge      # Debian; as root, as this script
#   npm run build && bash examples/slurm/one-node.sh
# One task is killed on the way and submitted again. At the end the merged results must be the bytes of one process.
# Nothing of it is kept, and nothing listens but on the loopback interface.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for program in munged slurmctld slurmd sbatch; do
  command -v "$program" >/dev/null || { echo "$program is not installed: apt-get install slurm-wlm munge" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo 'slurmd wants to be root' >&2; exit 1; }

folder=$(mktemp -d)
chmod 755 "$folder"
export SLURM_CONF=$folder/slurm.conf
stop() {
  [ "$?" = 0 ] || tail -n 3 "$folder"/task-*.log "$folder"/slurm*.log 2>/dev/null || true
  for name in slurmd slurmctld munged; do [ -f "$folder/$name.pid" ] && kill "$(cat "$folder/$name.pid")" 2>/dev/null; done
  sleep 1
  rm -rf "$folder"
}
trap stop EXIT

head -c 1024 /dev/urandom >"$folder/munge.key"
chmod 400 "$folder/munge.key"
munged --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
  --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" 2>/dev/null

mkdir "$folder/state" "$folder/spool"
cat >"$SLURM_CONF" <<CONF
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldParameters=enable_configless
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmctldPort=26817
SlurmdPort=26818
CommunicationParameters=NoAddrCache,NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
NodeName=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
slurmctld
slurmd -N "$(hostname -s)"
until sinfo --noheader --format=%T 2>/dev/null | grep -q idle; do sleep 1; done
sinfo

node examples/slurm/inputs.mjs "$folder"
export MASK_RCNN="node $PWD/packages/cli/bin/mask-rcnn.js" LIST=$folder/list.txt WEIGHTS=$folder/model.safetensors PARTS=$folder/parts
submit() { sbatch --parsable --output="$folder/task-%a.log" "$@" examples/slurm/predict.sbatch; }
finished() { while squeue --noheader --jobs="$1" 2>/dev/null | grep -q .; do sleep 1; done; }

job=$(submit)
echo "Job $job: eight tasks."
# One task is taken away as soon as it runs, as a node that is drained would take it.
until squeue --noheader --states=RUNNING --array --format=%K --jobs="$job" | head -n 1 | grep -q .; do sleep 0.2; done
victim=$(squeue --noheader --states=RUNNING --array --format=%K --jobs="$job" | head -n 1)
scancel --signal=KILL --full "${job}_$victim"
finished "$job"

parts() { find "$PARTS" -maxdepth 1 -type f 2>/dev/null | wc -l; }
echo "Task $victim was killed: $(parts) of 8 parts are there."
$MASK_RCNN merge "$PARTS" --results "$folder/early.json" >"$folder/early.log" 2>&1 && early=0 || early=$?
echo "merge before the missing part is made ends with $early: $(grep -m1 error "$folder/early.log" | cut -c1-160)"
again=$(submit --array="$victim")
finished "$again"
echo "Task $victim submitted again as job $again: $(parts) of 8 parts are there."

$MASK_RCNN merge "$PARTS" --results "$folder/merged.json"
$MASK_RCNN predict --list "$LIST" --weights "$WEIGHTS" --results "$folder/alone.json" --no-save --threads 1 >/dev/null 2>"$folder/alone.log"
if cmp "$folder/merged.json" "$folder/alone.json" && [ "$early" -ne 0 ]; then
  echo "The merged results are the $(wc -c <"$folder/alone.json") bytes of one process."
else
  echo 'The merged results are not those of one process.'
  exit 1
fi
