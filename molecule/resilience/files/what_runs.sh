#!/bin/sh
# What a restart would change: the engine's and containerd's processes, and those of the containers.
systemctl show --no-pager --property=MainPID docker containerd
docker inspect --format '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' $(docker ps --quiet) | sort
