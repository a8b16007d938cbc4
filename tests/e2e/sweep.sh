#!/usr/bin/env bash
# A part of the sweep (tests/sweep): killed, or failing, at some of the calls that change the disk;
# other ones each time, by a seed that is printed.
exec "$(dirname "$0")/../sweep/run.sh" --every 67
