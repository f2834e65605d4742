# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Ceph cluster holds: users, pools, and the devices of one host."""
