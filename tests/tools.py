"""Programs that some tests need: without them the tests are skipped, but fail in CI."""

import os
import shutil
from contextlib import contextmanager

import pytest

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def unavailable(reason):
    """Skip the test, but fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def find(*names):
    """The first of these programs that is there."""
    path = next(filter(None, map(shutil.which, names)), None)
    return path or unavailable(f"needs one of {', '.join(names)}")


@contextmanager
def chromium(folder, *flags, logs=("performance",)):
    """A real browser with an empty profile in `folder`; `logs` are what it keeps for the test to read."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = find("chromium", "chromium-browser", "google-chrome")
    for flag in [*FLAGS, *flags, f"--user-data-dir={folder}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", dict.fromkeys(logs, "ALL"))
    driver = webdriver.Chrome(options, webdriver.ChromeService(find("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()
