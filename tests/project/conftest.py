"""What the tests of fetching and of releasing share."""

import os
import subprocess
import sys

import pytest
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def s3():
    """The address of an S3 server on this machine, with the empty bucket `models`; KEYS open it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    create = f"import boto3; boto3.client('s3', endpoint_url={address!r}).create_bucket(Bucket='models')"
    subprocess.run([sys.executable, "-c", create], env=os.environ | KEYS, check=True)
    yield address
    server.stop()
