#!/bin/sh
# A directory on the host, for tests: slapd with a certificate, two users, and a group of one of them.
# Arguments: the password of the user that searches, and of the two users. Prints the certificate of its CA.
set -eu
work=/var/lib/cairn-test-directory
rm -rf "$work"
mkdir -p "$work/config" "$work/data"
cd "$work"
if ! command -v slapd >/dev/null; then
    # The package would start its own.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends slapd ldap-utils >/dev/null 2>&1
    rm /usr/sbin/policy-rc.d
fi
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test directory CA' 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=127.0.0.1 2>/dev/null
printf 'subjectAltName=IP:127.0.0.1' >extensions
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out certificate.pem 2>/dev/null
cat >slapd.conf <<END
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile $work/ca.pem
TLSCertificateFile $work/certificate.pem
TLSCertificateKeyFile $work/key.pem
database mdb
suffix "dc=example"
directory $work/data
rootdn "cn=root,dc=example"
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
END
cat >entries.ldif <<END
dn: dc=example
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: cn=search,dc=example
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: search
userPassword: $1

dn: ou=people,dc=example
objectClass: organizationalUnit
ou: people

dn: uid=alice,ou=people,dc=example
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Example
mail: alice@example.org
userPassword: $2

dn: uid=bob,ou=people,dc=example
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Example
userPassword: $2

dn: ou=groups,dc=example
objectClass: organizationalUnit
ou: groups

dn: cn=developers,ou=groups,dc=example
objectClass: groupOfNames
cn: developers
member: uid=alice,ou=people,dc=example
END
slapadd -f slapd.conf -l entries.ldif
chown -R openldap:openldap "$work"
systemd-run --quiet --collect --unit=cairn-test-directory --property=Type=simple \
    slapd -d stats -u openldap -g openldap -f "$work/slapd.conf" -h ldaps://127.0.0.1:10636
cat ca.pem
