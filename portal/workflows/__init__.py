"""Workflows: ordered steps that devices are taken through, one execution a device."""
