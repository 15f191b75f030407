"""Servers that people know, tuned as a careful operator would, doing the same operations in the same minutes.

A peer is measured for the ratio to it, which outlives a machine; its own figures are no judgement of it.
"""
