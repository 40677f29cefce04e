"""The lab: a stand-in cluster and a stand-in internet, made on this machine from Debian packages.

`python3 -m lab up` starts it, `python3 -m lab --help` tells the rest. See cli.py.
"""
