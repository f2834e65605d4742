# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MariaDB, RabbitMQ, Keystone and database migrations; runs on controllers; may import common."""
