#!/bin/sh
echo 'Hello from Docker!'
echo "This is the lab's stand-in for hello-world: its image was pulled, and its container runs."
