# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Volume groups, Ceph, and Swift's rings; runs on storage hosts and controllers; may import common and host."""
