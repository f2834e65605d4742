# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Test hosts, a test image and snapshots of hosts; runs on the computer of the lab, for the image also for users; may
import common.
"""
