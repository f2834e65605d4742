# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets, certificates, the lock and the output of a run; runs on the control node; may import common and cloud."""
