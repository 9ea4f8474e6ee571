# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates by the openssl command, in a directory that is thrown away: a CA, a server's, two clients', and on
demand those that a client must refuse."""

import os
import ssl
import subprocess

NAMES = "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc"
OTHER_NAMES = "subjectAltName=DNS:elsewhere.example,IP:192.0.2.1"


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

    def make(self, name, subject, ca, extension, days=2):
        """days below nought: it has expired."""
        self.key(name)
        with open(self.path(f"{name}.ext"), "w", encoding="ascii") as file:
            file.write(extension + "\n")
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", subject, "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.crt", "-CAkey", f"{ca}.key", "-set_serial",
                     str(int.from_bytes(os.urandom(8), "big")), "-days", str(days), "-extfile", f"{name}.ext",
                     "-out", f"{name}.crt")

    def faulty(self, how):
        """The name of a certificate that a client must refuse: wrong-ca, expired or wrong-name."""
        if os.path.exists(self.path(f"{how}.crt")):
            return how
        if how == "wrong-ca":
            self.make_ca("other-ca")
            self.make(how, "/CN=kube-apiserver", "other-ca", self.names)
        elif how == "expired":
            self.make(how, "/CN=kube-apiserver", "ca", self.names, days=-1)
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
