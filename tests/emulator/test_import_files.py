"""The files of imports: delimiters, encodings, column maps, ZIPs, and what can not be read."""

import io
import struct
import zipfile
import zlib

import anyio
import pytest

pytestmark = pytest.mark.anyio

HOST = "https://drop.test"


@pytest.mark.parametrize("delimiter", [",", "|", ";", "t", "\t"])
async def test_every_delimiter_is_understood(account, delimiter):
    character = "\t" if delimiter == "t" else delimiter
    await account.run(f'email{character}name\njohn@doe.com{character}"Do{character}e"\n', csv_delimiter=delimiter)
    assert account.contact()["name"] == f"Do{character}e"


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "UTF-16"])
async def test_every_encoding_is_understood(account, encoding):
    await account.run("email,name\njohn@doe.com,Zoë\n".encode(encoding), encoding=encoding)
    assert account.contact()["name"] == "Zoë"


async def test_columns_may_be_mapped(account):
    fields = {"email": {"name": "E-Mail", "type": "email"}, "name": {"name": "Full name", "type": "string"}}
    await account.run("Full name,E-Mail,country\nJohn,john@doe.com,Chile\n", fields=fields)
    assert (account.contact()["name"], account.contact()["country"]) == ("John", None)


def zipped(**files):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content)
    return whole.getvalue()


async def test_a_zip_with_one_file_is_opened(account):
    shown = await account.run(zipped(contacts="email\njohn@doe.com\n"))
    assert shown["status"] == 40003
    assert account.contact() is not None


def locked(content, password):
    """Return a ZIP with one file under the old encryption, which the standard library can read but not write."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def step(crc, byte):
        return (zlib.crc32(bytes([byte]), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF) & 0xFFFFFFFF

    def update(byte):
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    def encrypt(byte):
        mask = keys[2] | 2
        update(byte)
        return byte ^ ((mask * (mask ^ 1)) >> 8 & 0xFF)

    for byte in password:
        update(byte)
    crc = zlib.crc32(content)
    sealed = bytes(encrypt(byte) for byte in [*bytes(11), crc >> 24, *content])
    facts = struct.pack("<HHHHHLLLHH", 20, 1, 0, 0, 33, crc, len(sealed), len(content), 5, 0)
    local = b"PK\x03\x04" + facts + b"a.csv" + sealed
    entry = b"PK\x01\x02" + struct.pack("<H", 20) + facts + bytes(14) + b"a.csv"
    return local + entry + b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 1, 1, len(entry), len(local), 0)


@pytest.mark.parametrize(("password", "status"), [("secret", 40003), ("wrong", 90008), (None, 90008)])
async def test_a_locked_zip_opens_with_the_accounts_password(account, password, status):
    account.emulator.state.zip_password = password
    assert (await account.run(locked(b"email\njohn@doe.com\n", b"secret")))["status"] == status


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 90008),
        (b"name,country\nJohn,Chile\n", 90008),
        (b"Email\njohn@doe.com\n", 90008),
        (b"email,name\njohn@doe.com,Zo\xeb\n", 90008),
        (zipped(one="email\n", two="email\n"), 90008),
        (b"PK\x03\x04 no zip at all", 90008),
        (None, 90001),
    ],
)
async def test_a_file_that_can_not_be_imported_ends_in_an_error(account, content, status):
    if content is None:
        number = (await account.create(file_url=f"{HOST}/missing.csv")).json()["payload"]["id"]
        await anyio.sleep(1)
        shown = await account.get(number)
        assert shown["status_info"] == "File could not be downloaded: HTTP 404"
    else:
        shown = await account.run(content)
    assert shown["status"] == status
    assert shown["status_info"]
