#!/usr/bin/env python3
"""Makes and verifies proofs of device bound sessions with Python's `cryptography`, and none of this project's code.

    independent.py make NUMBER     prints good proofs, and as many broken ones: one JSON object in each line
    independent.py verify          reads such lines, and prints `good` or `bad` for each

A line has `value`, which is the header's value; for a refresh, `key`, the JWK that was registered; what is made has
`is_good`, and `what` it is.
"""

import base64
import json
import random
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SHA256_OF_PKCS1 = bytes.fromhex("3031300d060960864801650304020105000420")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return value.to_bytes(length or (value.bit_length() + 7) // 8, "big")


# --- Verifying


class Bad(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Bad(why)


def decode(text):
    need(isinstance(text, str) and re.fullmatch(r"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1, "base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(encode(data) == text, "spare bits")
    return data


class Members(list):
    """An object with all of its members, also those that come twice."""

    def one(self, name, kinds, optional=False):
        values = [value for key, value in self if key == name]
        need(len(values) == 1 or optional and not values, f"one {name}")
        need(not values or isinstance(values[0], kinds), f"what {name} is")
        return values[0] if values else None

    def has(self, name):
        return any(key == name for key, _ in self)


def depth(value):
    if isinstance(value, Members):
        return 1 + max((depth(inner) for _, inner in value), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def parse(data):
    def refuse(constant):
        raise Bad(constant)

    try:
        value = json.loads(data.decode(), object_pairs_hook=Members, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # Halves of surrogates are no text.
        need(isinstance(value, Members) and depth(value) <= 16, "an object")
    except (ValueError, RecursionError) as error:
        raise Bad("JSON") from error
    return value


def field(value):
    """The text of a structured field: a string without escapes, or a token."""
    value = value.strip(" ")
    key, token = r"[a-z*][a-z0-9_.*-]*", r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*"
    string = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
    parameters = rf"(?:; *{key}(?:=(?:{token}|{string}|\?[01]|-?[0-9]{{1,15}}))?)*"
    found = re.fullmatch(rf'(?:"([ !#-\[\]-~]*)"|({token})){parameters}', value, re.ASCII)
    need(found, "a field")
    return found[1] if found[1] is not None else found[2]


def public_key(jwk):
    if jwk.one("kty", str) == "EC":
        need(jwk.one("crv", str) == "P-256", "the curve")
        x, y = decode(jwk.one("x", str)), decode(jwk.one("y", str))
        need(len(x) == len(y) == 32, "coordinates")
        try:
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
            return numbers.public_key()
        except ValueError as error:
            raise Bad("the point") from error
    need(jwk.one("kty", str) == "RSA", "the kind of key")
    n, e = decode(jwk.one("n", str)), decode(jwk.one("e", str))
    need(n[:1] != b"\0" and e[:1] != b"\0", "zeros in front")
    n, e = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    need(2048 <= n.bit_length() <= 4096 and n % 2 == 1 and 3 <= e < 2**32 and e % 2 == 1, "sizes")
    return rsa.RSAPublicNumbers(e, n).public_key()


def verify(value, registered=None):
    need(len(value.encode()) <= 8192, "the length")
    parts = field(value).split(".")
    need(len(parts) == 3, "three parts")
    header, signature = parse(decode(parts[0])), decode(parts[2])
    need(header.one("typ", str) == "dbsc+jwt" and not header.has("crit"), "the header")
    algorithm = header.one("alg", str)
    need(algorithm in ("ES256", "RS256"), "the algorithm")
    jwk = registered if registered is not None else header.one("jwk", Members)
    need(not jwk.has("d"), "a public key")
    key = public_key(jwk)
    signed = ".".join(parts[:2]).encode()
    try:
        if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePublicKey):
            need(len(signature) == 64, "the length of the signature")
            der = utils.encode_dss_signature(*(int.from_bytes(half, "big") for half in (signature[:32], signature[32:])))
            key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
        else:
            need(algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey), "the algorithm of the key")
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise Bad("the signature") from error
    payload = parse(decode(parts[1]))
    payload.one("authorization", (str, type(None)), optional=True)
    return payload.one("jti", str)


def verify_lines():
    for line in sys.stdin:
        read = json.loads(line)
        key = read.get("key")
        try:
            verify(read["value"], None if key is None else Members(key.items()))
            print("good")
        except Bad:
            print("bad")


# --- Making


class Device:
    def __init__(self, kind):
        self.alg = "ES256" if kind == "P-256" else "RS256"
        self.key = ec.generate_private_key(ec.SECP256R1()) if kind == "P-256" else rsa.generate_private_key(*kind)
        numbers = self.key.public_key().public_numbers()
        if self.alg == "ES256":
            self.jwk = {"kty": "EC", "crv": "P-256", "x": encode(number(numbers.x, 32)), "y": encode(number(numbers.y, 32))}
        else:
            self.jwk = {"kty": "RSA", "n": encode(number(numbers.n)), "e": encode(number(numbers.e))}

    def sign(self, message):
        if self.alg == "RS256":
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return number(r, 32) + number(s, 32)

    def token(self, header, payload, sign=None):
        signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(payload).encode())}"
        return f"{signed}.{encode((sign or self.sign)(signed.encode()))}"

    def header(self, is_registration):
        return {"alg": self.alg, "typ": "dbsc+jwt"} | ({"jwk": self.jwk} if is_registration else {})


def good(chance, device, is_registration):
    payload = {"jti": encode(chance.randbytes(24))}
    if is_registration and chance.random() < 0.5:
        payload["authorization"] = "code"
    if chance.random() < 0.2:
        payload |= {"aud": "https://app.test/", "iat": 1, "sub": "s"}
    value = device.token(device.header(is_registration), payload)
    return f'"{value}"' if chance.random() < 0.3 else value


def cube_root(value):
    low, high = 0, 1 << (value.bit_length() // 3 + 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < value else (low, middle)
    return low


def with_garbage_after_the_hash(device):
    """Good for a verifier that does not look whether the hash comes last: a cube root, if the exponent is 3."""

    def sign(message):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(message)
        size = (device.key.key_size + 7) // 8
        begin = b"\0\1" + b"\xff" * 8 + b"\0" + SHA256_OF_PKCS1 + digest.finalize()
        return number(cube_root(int.from_bytes(begin.ljust(size, b"\0"), "big")), size)

    return sign


def broken(chance, devices, is_registration):
    device = chance.choice(devices)
    header, payload = device.header(is_registration), {"jti": "c"}
    other = Device("P-256")

    def der(message):
        return device.key.sign(message, ec.ECDSA(hashes.SHA256()))

    def other_hash(message):
        if device.alg == "ES256":
            r, s = utils.decode_dss_signature(device.key.sign(message, ec.ECDSA(hashes.SHA384())))
            return number(r, 32) + number(s, 32)
        return device.key.sign(message, padding.PKCS1v15(), hashes.SHA384())

    def pss(message):
        return device.key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())

    def short(message):
        return device.sign(message)[:-1]

    def beyond_the_order(message):
        signature = device.sign(message)
        s = int.from_bytes(signature[32:], "big") + ORDER
        return signature[:32] + number(s, 33 if s >> 256 else 32)

    kinds = ["alg", "typ", "other key", "other hash", "short", "bit", "twice", "crit", "payload"]
    kinds += ["der", "order"] if device.alg == "ES256" else ["pss"]
    if device.alg == "RS256" and device.key.public_key().public_numbers().e == 3:
        kinds += ["garbage"] * 4
    what = chance.choice(kinds)
    signs = {"other key": other.sign, "other hash": other_hash, "short": short, "der": der, "pss": pss,
             "order": beyond_the_order}
    if what == "garbage":
        value = device.token(header, payload, with_garbage_after_the_hash(device))
    elif what in signs:
        value = device.token(header, payload, signs[what])
    elif what == "alg":
        value = device.token(header | {"alg": chance.choice(["none", "HS256", "ES384", "RS512", "PS256", "es256"])}, payload)
    elif what == "typ":
        value = device.token(header | {"typ": chance.choice(["JWT", "dbsc", ""])}, payload)
    elif what == "crit":
        value = device.token(header | {"crit": ["exp"]}, payload)
    elif what == "payload":
        value = device.token(header, chance.choice([{}, [], {"jti": 1}, "c", None]))
    elif what == "twice":
        text = json.dumps(header).replace("{", '{"alg": "none", ', 1)
        signed = f"{encode(text.encode())}.{encode(json.dumps(payload).encode())}"
        value = f"{signed}.{encode(device.sign(signed.encode()))}"
    else:
        signed, signature = device.token(header, payload).rsplit(".", 1)
        data = bytearray(decode(signature))
        place = chance.randrange(len(data) * 8)
        data[place // 8] ^= 1 << place % 8
        value = f"{signed}.{encode(bytes(data))}"
    return device, what, value


def make(count):
    chance = random.Random()
    devices = [Device("P-256") for _ in range(4)]
    devices += [Device((e, bits)) for e, bits in [(65537, 2048), (65537, 3072), (65537, 4096), (3, 2048), (3, 3072)]]
    weak = [Device((65537, 1024))]
    for index in range(count):
        is_registration = index % 2 == 0
        device = devices[index % len(devices)]
        key = {} if is_registration else {"key": device.jwk}
        value = good(chance, device, is_registration)
        print(json.dumps({"value": value, "is_good": True, "what": "good"} | key))
        # A key that is too small signs well.
        if index % 20 == 0:
            device, what, value = weak[0], "1024 bits", good(chance, weak[0], True)
            key = {}
        else:
            device, what, value = broken(chance, devices, is_registration)
            key = {} if is_registration else {"key": device.jwk}
        print(json.dumps({"value": value, "is_good": False, "what": what} | key))


if __name__ == "__main__":
    if sys.argv[1:] == ["verify"]:
        verify_lines()
    elif len(sys.argv) == 3 and sys.argv[1] == "make":
        make(int(sys.argv[2]))
    else:
        sys.exit(__doc__)
