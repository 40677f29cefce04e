#!/bin/bash
# A backup and a collection that are ended in the middle, politely and not.
set -eu
copies=/run/cut-off
main() { docker --context default inspect --format "$1" slipway-registry-main; }
read_only() { main '{{.Config.Env}}' | grep --quiet READONLY; }
until_read_only() { for _ in $(seq 300); do read_only 2> /dev/null && return; sleep 0.1; done; exit 1; }
writable() { ! read_only && [ "$(main '{{.State.Running}}')" = true ]; }

# While the host is held by a run, nothing begins.
(exec 9> /run/slipway.lock; flock 9; sleep 15) &
sleep 1
timeout 13 slipway-registry backup main $copies 2> /run/waits || true
grep --quiet 'slipway-registry: waits, since another run of Slipway acts on this host' /run/waits
writable
wait

# A big store, of which a copy takes a while.
head -c 400000000 /dev/urandom > /opt/data/registry/main/docker/filler
slipway-registry backup main $copies 2> /run/ended & program=$!
until_read_only
kill -TERM $program
if wait $program; then exit 1; fi
writable
[ -z "$(ls $copies)" ]

slipway-registry backup main $copies & program=$!
until_read_only
sleep 0.5
kill -KILL $program
wait $program || true
read_only
ls $copies/*.part
slipway-registry backup main $copies > /dev/null
writable
[ -z "$(find $copies -name "*.part")" ]
rm -r $copies /opt/data/registry/main/docker/filler

# The unit of the collection, killed in its read-only window.
mkdir -p /run/systemd/system/slipway-registry-collect.service.d
printf '[Service]\nExecStart=\nExecStart=/bin/sh -c "%s; kill -KILL $$$$"\n' \
  'docker --context default compose -f /etc/slipway/registry/compose.yml -f /run/o.yml up --detach --no-deps main' \
  > /run/systemd/system/slipway-registry-collect.service.d/kill.conf
echo '{"services": {"main": {"environment": {"REGISTRY_STORAGE_MAINTENANCE_READONLY": "{\"enabled\": true}"}}}}' > /run/o.yml
systemctl daemon-reload
if systemctl start slipway-registry-collect; then exit 1; fi
writable
rm -r /run/systemd/system/slipway-registry-collect.service.d
systemctl daemon-reload
systemctl reset-failed slipway-registry-collect
