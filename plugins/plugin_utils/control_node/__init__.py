# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the control node keeps and shows: secrets, certificates, the run's lock, its report; runs on the control
node; may import common and cloud.
"""
