# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Helpers independent of OpenStack; runs on the control node and on hosts; imports nothing from the collection."""
