# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the input and of the hosts before anything is changed; runs on the control node; may import catalog,
control_node, common, cloud and storage.
"""
