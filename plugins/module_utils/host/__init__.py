# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files, packages, systemd units and bridges of one host; runs on hosts; may import common."""
