# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Service definitions, settings and the inventory become the desired state of each host; runs on the control node;
may import control_node, common and storage.
"""
