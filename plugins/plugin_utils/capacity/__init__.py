# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many servers fit: what hosts and back ends offer becomes numbers and a table; runs on the control node; may
import catalog, control_node, common.
"""
