# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Computes the desired state of each host from service definitions, settings and inventory; runs on the control node;
may import control_node, common and storage.
"""
