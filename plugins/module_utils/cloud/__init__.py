# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uses a running cloud through its APIs; runs on a controller and, for a few checks, on the control node; may
import common.
"""
