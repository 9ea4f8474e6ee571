# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates by the openssl command, in a directory that is thrown away: a CA, a server's, two clients', and on
demand those that a client must refuse."""

import os
import ssl
import subprocess

NAMES = "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc"
OTHER_NAMES = "subjectAltName=DNS:elsewhere.example,IP:192.0.2.1"
PAST = ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")
SIGNING = """[ca]
default_ca = default
[default]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


class Certificates:
    def __init__(self, directory, host):
        self.directory = directory
        self.names = f"{NAMES},IP:{host}"
        self.make_ca("ca")
        self.make("server", "/CN=kube-apiserver", "ca", self.names)
        for user, group in (("admin", "system:masters"), ("node", "system:nodes")):
            self.make(f"client-{user}", f"/O={group}/CN={user}", "ca", "extendedKeyUsage=clientAuth")

    def path(self, name):
        return os.path.join(self.directory, name)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")

    def key(self, name):
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")

    def make_ca(self, name):
        self.key(name)
        self.openssl("req", "-x509", "-new", "-key", f"{name}.key", "-subj", f"/CN=test {name}", "-days", "2", "-out",
                     f"{name}.crt", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def request(self, name, subject, extension):
        self.key(name)
        self.write(f"{name}.ext", extension + "\n")
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")

    def make(self, name, subject, ca, extension):
        self.request(name, subject, extension)
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-set_serial",
                     str(int.from_bytes(os.urandom(8), "big")), "-days", "2", "-extfile", f"{name}.ext",
                     "-out", f"{name}.crt")

    def make_expired(self, name, subject, ca, extension):
        """By `openssl ca`: `openssl x509` takes no dates before 3.4, and no negative number of days since 3.2."""
        self.request(name, subject, extension)
        self.write("index.txt", "")
        self.write("signing.cnf", SIGNING)
        self.openssl("ca", "-batch", "-notext", "-config", "signing.cnf", "-cert", f"{ca}.crt", "-keyfile", f"{ca}.key",
                     *PAST, "-extfile", f"{name}.ext", "-in", f"{name}.csr", "-out", f"{name}.crt")

    def faulty(self, how):
        """The name of a certificate that a client must refuse: wrong-ca, expired or wrong-name."""
        if os.path.exists(self.path(f"{how}.crt")):
            return how
        if how == "wrong-ca":
            self.make_ca("other-ca")
            self.make(how, "/CN=kube-apiserver", "other-ca", self.names)
        elif how == "expired":
            self.make_expired(how, "/CN=kube-apiserver", "ca", self.names)
        else:
            self.make(how, "/CN=kube-apiserver", "ca", OTHER_NAMES)
        return how

    def context(self, name):
        """For the server's side of a handshake; clients may show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path(f"{name}.crt"), self.path(f"{name}.key"))
        context.load_verify_locations(self.path("ca.crt"))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context
