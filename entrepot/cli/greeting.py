"""What ``entrepot serve`` prints at its start."""

from __future__ import annotations

import ipaddress
import shlex
from typing import Final

from entrepot import __version__
from entrepot.config import Config, Listener

EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is told from the others here, not bound


def endpoint(config: Config) -> str | None:
    """The URL for S3 clients on this host, and under TLS for those that know the server's name; None where no TCP
    address has that door.
    """
    for listener in config.listeners:
        if listener.path is None and (not listener.doors or "s3" in listener.doors):
            host, port = listener.host_and_port
            if listener.tls is None:
                return f"http://{_in_url(EVERYWHERE.get(host, host))}:{port}"
            name = config.domain[0] if host in EVERYWHERE and config.domain else EVERYWHERE.get(host, host)
            return f"https://{_in_url(name)}:{port}"
    return None


def _in_url(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def greeting(config: Config) -> str:
    """Where the server listens and where its data are, in one line."""
    places = [listener_text(listener) for listener in config.listeners]
    places[-2:] = [" and ".join(places[-2:])]
    return f"Entrepôt {__version__} listens on {', '.join(places)}, data in {config.data.absolute()}"


def listener_text(listener: Listener) -> str:
    """An address as a URL, and the doors that it has if not all."""
    text = listener.address
    if listener.path is None:
        host, port = listener.host_and_port
        text = f"{'http' if listener.tls is None else 'https'}://{_in_url(host)}:{port}"
    return f"{text} ({', '.join(listener.doors)})" if listener.doors else text


def introduction(config: Config, access: str, secret: str) -> str:
    """The new root key, and a command for each of three clients.

    The secret stands in the two lines that set variables, and in no command's arguments, which
    everybody on a host can see.
    """
    keys = f"""
This is the root key. It is shown this once; set it in the shell of a client:

  export AWS_ACCESS_KEY_ID={shlex.quote(access)}
  export AWS_SECRET_ACCESS_KEY={shlex.quote(secret)}
"""
    url = endpoint(config)
    return keys if url is None else keys + _first_steps(url, config.region)


def _first_steps(url: str, region: str) -> str:
    python = (
        f'import boto3; s3 = boto3.client("s3", endpoint_url="{url}", region_name="{region}"); '
        'print([bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])'
    )
    curl = (
        f"curl --aws-sigv4 aws:amz:{region}:s3 --header x-amz-content-sha256:UNSIGNED-PAYLOAD "
        '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    )
    trust = ""
    if url.startswith("https"):
        trust = (
            "\nIf no public authority signed the certificate, clients have to be told whom to trust:\n"
            "  export AWS_CA_BUNDLE=AUTHORITY.pem CURL_CA_BUNDLE=AUTHORITY.pem\n"
        )
    return f"""{trust}
Then each of these works. With the AWS command line, to make a bucket:

  aws --endpoint-url {url} --region {region} s3 mb s3://hello

with boto3, to list buckets:

  python3 -c {shlex.quote(python)}

and with curl, for the same list:

  {curl} {url}/
"""
