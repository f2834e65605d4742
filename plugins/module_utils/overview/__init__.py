# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads or compares the whole state of a host in one call; runs on hosts; may import common, host, control_plane and
storage.
"""
