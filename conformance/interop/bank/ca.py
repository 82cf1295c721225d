"""The bank's keys: a root, the issuing CA, the key of receipts, TLS, and another CA from which certificates are imported."""

import ipaddress
import os
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, PublicFormat, load_der_public_key, load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from wire import base64url, cert_id, clock, json_text, jws, receipt

DAY = 86400
REASONS = {  # 6.6; what is not here has no reason code
    "keyCompromise": x509.ReasonFlags.key_compromise, "deviceLost": x509.ReasonFlags.key_compromise,
    "affiliationChanged": x509.ReasonFlags.affiliation_changed, "superseded": x509.ReasonFlags.superseded,
    "cessationOfOperation": x509.ReasonFlags.cessation_of_operation,
}


def new_key(alg="ES256"):
    if alg in ("RS256", "PS256"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if alg == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP384R1() if alg == "ES384" else ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(common, organization="Interop Bank"):
    return x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])


def _usage(*granted):
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )
    return x509.KeyUsage(**{name: name in granted for name in names})


def _builder(subject, public, issuer, not_before, not_after, serial=None):
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(serial or secrets.randbits(126) + 1)
        .not_valid_before(clock.to_datetime(not_before)).not_valid_after(clock.to_datetime(not_after))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _aki(certificate):
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _authority(common, key, issuer=None, issuer_key=None, organization="Interop Bank"):
    now = clock.now()
    name = _name(common, organization)
    builder = _builder(name, key.public_key(), issuer.subject if issuer else name, now - 10 * 365 * DAY, now + 20 * 365 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else 1), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    if issuer:
        builder = builder.add_extension(_aki(issuer), critical=False)
    return builder.sign(issuer_key or key, SHA256())


class Authority:
    """The keys in the bank's folder."""

    NAMES = ("root", "issuing", "receipt", "tls", "foreign")

    def __init__(self, folder):
        self.folder = Path(folder)
        self.keys, self.certificates = {}, {}
        for name in self.NAMES:
            self.keys[name] = load_pem_private_key((self.folder / (name + ".key.pem")).read_bytes(), None)
            self.certificates[name] = x509.load_pem_x509_certificate((self.folder / (name + ".pem")).read_bytes())
        self.issuing = self.certificates["issuing"]
        self.chain = [base64url.encode_der(self.issuing.public_bytes(Encoding.DER))]
        self.not_after = clock.of_datetime(self.issuing.not_valid_after)

    @classmethod
    def create(cls, folder, host):
        """Makes every key; the folder is for the bank's user only."""
        folder = Path(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys = {name: new_key() for name in cls.NAMES}
        made = {"root": _authority("Interop Root", keys["root"])}
        made["issuing"] = _authority("Interop Issuing CA", keys["issuing"], made["root"], keys["root"])
        made["foreign"] = _authority("Former CA", keys["foreign"], organization="Former Bank")
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        now, end = clock.now(), clock.now() + 10 * 365 * DAY
        made["receipt"] = (
            _builder(_name("Interop Receipts"), keys["receipt"].public_key(), made["issuing"].subject, now - DAY, end)
            .add_extension(_aki(made["issuing"]), critical=False).add_extension(leaf, critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ObjectIdentifier(receipt.DOCUMENT_SIGNING)]), critical=False)
            .sign(keys["issuing"], SHA256())
        )
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        if host not in ("localhost", "127.0.0.1"):
            names.append(x509.DNSName(host))
        made["tls"] = (
            _builder(_name(host), keys["tls"].public_key(), made["root"].subject, now - DAY, now + 300 * DAY)
            .add_extension(_aki(made["root"]), critical=False).add_extension(leaf, critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(keys["root"], SHA256())
        )
        for name in cls.NAMES:
            _write(folder / (name + ".key.pem"), key_pem(keys[name]), 0o600)
            _write(folder / (name + ".pem"), made[name].public_bytes(Encoding.PEM), 0o644)
        return cls(folder)

    def issue(self, name, public_key_info, serial, not_before, not_after, crl_url):
        """A certificate of a subject (6.4), DER."""
        public = load_der_public_key(public_key_info)
        crl = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        made = (
            _builder(name, public, self.issuing.subject, not_before, not_after, serial)
            .add_extension(_aki(self.issuing), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.CRLDistributionPoints([crl]), critical=False)
        )
        return made.sign(self.keys["issuing"], SHA256()).public_bytes(Encoding.DER)

    def import_foreign(self, name, public, not_before, not_after):
        """A certificate of the former CA, without AKI, as such CAs issued them."""
        issuer = self.certificates["foreign"].subject
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(public)
            .serial_number(secrets.randbits(126) + 1)
            .not_valid_before(clock.to_datetime(not_before)).not_valid_after(clock.to_datetime(not_after))
            .add_extension(_usage("digital_signature"), critical=True)
        )
        return made.sign(self.keys["foreign"], SHA256()).public_bytes(Encoding.DER)

    def receipt(self, payload):
        """The signed receipt over the payload (6.7)."""
        certificate = base64url.encode_der(self.certificates["receipt"].public_bytes(Encoding.DER))
        header = {"alg": "ES256", "typ": receipt.TYP, "x5c": [certificate] + self.chain}
        return jws.write(header, json_text.write(payload), self.keys["receipt"])

    def crl(self, number, revoked, now):
        """A complete CRL (6.6) over rows of (serial, revoked_at, reason), DER."""
        builder = (
            x509.CertificateRevocationListBuilder().issuer_name(self.issuing.subject)
            .last_update(clock.to_datetime(now)).next_update(clock.to_datetime(now + 2 * DAY))
            .add_extension(_aki(self.issuing), critical=False).add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial, at, reason in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(clock.to_datetime(at))
            if reason in REASONS:
                entry = entry.add_extension(x509.CRLReason(REASONS[reason]), critical=False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.keys["issuing"], SHA256()).public_bytes(Encoding.DER)


def spki(public):
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def load(der):
    return cert_id.load(der)


def _write(path, content, mode):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
