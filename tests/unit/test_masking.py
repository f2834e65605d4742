# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""No secret is shown, in whatever shape a file holds it."""

from __future__ import annotations

import pytest
from ansible_collections.cairn.openstack.plugins.module_utils.common.masking import MASK, masked, secret_values

SECRET = "hunter2Hunter3"


@pytest.mark.parametrize(
    "text",
    [
        "password = {}",
        "password={}",
        "    password: {}",
        "admin_password\t=\t{}",
        "memcache_secret_key = {}",
        "metadata_proxy_shared_secret = {}",
        "auth_encryption_key = {}",
        'SECRET_KEY = "{}"',
        "export OS_PASSWORD={}",
        '  "password": "{}",',
        "- {{name: glance, password: {}}}",
        "default_pass = {}",
        "requirepass {}",
        "X-Auth-Token: {}",
        '"x-subject-token": "{}"',
        "Authorization: Bearer {}",
        "GET /v1/a?temp_url_sig={}&temp_url_expires=1",
        "token = {}",
        "the caller sent gAAAAAB{0}-{0}",
        "auth_pass {}",
        "connection = mysql+pymysql://glance:{}@db/glance?charset=utf8mb4",
        "transport_url = rabbit://nova:{0}@a:5672,nova:{0}@b:5672,nova:{0}@c:5672/nova",
        "backend_url = redis://:{}@127.0.0.1:6379",
        "url = https://user:{}@example.org/path",
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\n{0}\n{0}\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
    ],
)
def test_a_secret_is_not_shown(text):
    shown = masked(text.format(SECRET))
    assert SECRET not in shown
    assert MASK in shown


@pytest.mark.parametrize("value", ["a@b", "a:b", "a/b", "a b c", "a=b", "'a'", "100%"])
def test_whatever_letters_it_has(value):
    assert masked(f"password = {value}") == f"password = {MASK}"


def test_the_rest_of_the_file_is_shown():
    text = "[DEFAULT]\ndebug = true\npassword = x\n\n[api]\nport = 80\n"
    assert masked(text) == text.replace("= x", f"= {MASK}")


@pytest.mark.parametrize(
    "text",
    [
        "[keystone_authtoken]\nauth_type = password\n",
        "auth_url = https://cloud.example.org:5000/v3\n",
        "memcached_servers = 192.0.2.11:11211,192.0.2.12:11211\n",
        "provider = fernet\n",
        "password =\n",
        "key_repository = /etc/keystone/credential-keys/\n",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
    ],
)
def test_what_is_no_secret_stays(text):
    assert masked(text) == text


def test_who_connects_where_stays_readable():
    assert masked("connection = mysql://glance:x@db.example.org/glance") == (
        f"connection = mysql://glance:{MASK}@db.example.org/glance"
    )


def test_twice_is_the_same():
    text = "password = x\nurl = amqp://a:b@c\n"
    assert masked(masked(text)) == masked(text)


def test_keys_are_unspoken_line_by_line():
    """A log has them in one line, between two characters that stand for its end."""
    private, public = ("A" * 64, "B" * 64, "C=="), "D" * 64
    key = "-----BEGIN PRIVATE KEY-----\n{}\n{}\n{}\n-----END PRIVATE KEY-----\n".format(*private)
    front = f"-----BEGIN CERTIFICATE-----\n{public}\n-----END CERTIFICATE-----\n{key}"
    assert secret_values(front) == list(private[:2])
    assert secret_values(SECRET) == [SECRET]
