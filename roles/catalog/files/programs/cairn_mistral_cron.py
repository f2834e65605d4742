# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs the workflows of Mistral's cron triggers when it is their time.

Written by Cairn. mistral-api would do so in a thread of eventlet, which never gets its turn in uWSGI. Several of these
may run: one of them takes each trigger, by the time that is its next in the database.
"""

import importlib
import sys
import time

from mistral import config
from mistral.db.v2 import api as database
from mistral.services import periodic
from oslo_config import cfg
from oslo_log import log


def main():
    """Look for triggers again and again."""
    # It declares the options of [keystone_authtoken].
    importlib.import_module("keystonemiddleware.auth_token")
    config.parse_args(args=[])
    log.setup(cfg.CONF, "mistral")
    database.setup_db()
    while True:
        try:
            periodic.process_cron_triggers_v2(None, None)
        except Exception as error:  # the database may be away for a while
            print(f"cron triggers: {error}", file=sys.stderr, flush=True)
        time.sleep(cfg.CONF.cron_trigger.execution_interval)


if __name__ == "__main__":
    main()
