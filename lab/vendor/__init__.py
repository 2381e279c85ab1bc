"""Vendors' software for the lab: small real packages, repositories and images with stand-in contents."""
