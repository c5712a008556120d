"""A browser that WebDriver drives: started, watched for its loss, and gone at the end whatever happens."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.errors import RunError, reason_of
from tfjs_magic.headless.channel import Page
from tfjs_magic.headless.node import find_node, opened_node
from tfjs_magic.headless.programs import Programs, find_programs, install_hint
from tfjs_magic.headless.target import Grid, Local, Node, Target
from tfjs_magic.headless.watch import ending_with_us
from tfjs_magic.headless.web_page import WebPage

if TYPE_CHECKING:
    from selenium.webdriver.common.options import ArgOptions
    from selenium.webdriver.common.service import Service
    from selenium.webdriver.remote.webdriver import WebDriver

#: A Grid must take the connection within this time …
_CONNECT_TIMEOUT_S = 10
#: … and give a browser, start it or end a script within this one.
_ANSWER_TIMEOUT_S = 300
#: Opening an empty page.
_PAGE_TIMEOUT_S = 30
#: Less shared memory than this is what containers have by default: Chromium would crash in it.
_LEAST_SHARED_BYTES = 2**28

#: No network, no timers that are slowed down, and whatever computes graphics: a GPU in software is labelled as such.
_CHROMIUM_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",  # instead of a port; the browser ends with its driver
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-component-update",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--enable-unsafe-webgpu",
    "--enable-unsafe-swiftshader",
)
#: Without a screen Chromium on Linux takes no GPU by itself.
_LINUX_GPU_FLAGS = (
    "--use-angle=vulkan",
    "--enable-features=Vulkan,DefaultANGLEVulkan,VulkanFromANGLE",
    "--disable-vulkan-surface",
    "--ignore-gpu-blocklist",
)
_GPU_DEVICES = ("nvidia[0-9]*", "dri/renderD*")


class BrowserLostError(RunError):
    """A browser that had answered does so no more."""


def check_target(target: Target) -> None:
    """Look for what a benchmark there needs, before anything is converted for it.

    Raises:
        RunError: Selenium, the browser or its driver is missing, or Node.
    """
    if isinstance(target, Node):
        find_node()
        return
    if importlib.util.find_spec("selenium") is None:
        raise RunError("browser= needs Selenium: pip install 'tfjs-magic[headless]'")
    if isinstance(target, Local):
        find_programs(target)


@contextlib.contextmanager
def opened(target: Target) -> Iterator[Page]:
    """Open a page; at the end nothing of it is left.

    Raises:
        RunError: It does not start.
        BrowserLostError: It started, and does not answer any more.
    """
    if isinstance(target, Node):
        with opened_node() as page:
            yield page
    else:
        with opened_browser(target) as driver, losses_named(target):
            yield WebPage(driver, local=isinstance(target, Local))


@contextlib.contextmanager
def opened_browser(target: Local | Grid) -> Iterator[WebDriver]:
    """Open a browser; at the end it is closed, and its driver's processes are ended.

    Raises:
        RunError: It does not start.
    """
    check_target(target)
    if isinstance(target, Grid):
        with _driven(target, None) as driver:
            yield driver
        return
    with ending_with_us() as watch:
        service = _service(target, find_programs(target), watch)
        try:
            with _driven(target, service) as driver:
                yield driver
        finally:
            _end(service)


@contextlib.contextmanager
def _driven(target: Local | Grid, service: Service | None) -> Iterator[WebDriver]:
    driver = _started(target, service)
    try:
        driver.set_page_load_timeout(_PAGE_TIMEOUT_S)
        driver.set_script_timeout(_ANSWER_TIMEOUT_S / 2)
        yield driver
    finally:
        with contextlib.suppress(*_failures()):
            driver.quit()


@contextlib.contextmanager
def losses_named(target: Local | Grid) -> Iterator[None]:
    """Raise what WebDriver raises as a :class:`BrowserLostError`."""
    try:
        yield
    except _failures() as error:
        raise BrowserLostError(f"{target.title} was lost: {_reason(error)}.") from error


def _failures() -> tuple[type[Exception], ...]:
    from selenium.common.exceptions import WebDriverException  # noqa: PLC0415 - an extra
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with it

    return WebDriverException, HTTPError, OSError


def _reason(error: Exception) -> str:
    """Return the first line: stack and build of the driver follow, and where Selenium documents the error."""
    text = str(getattr(error, "msg", None) or error).strip().partition("\n")[0].partition("; For documentation")[0]
    return reason_of(Exception(text or type(error).__name__))


def _started(target: Local | Grid, service: Service | None) -> WebDriver:
    try:
        return _remote(target) if isinstance(target, Grid) else _local(target, service)
    except _failures() as error:
        raise RunError(_why_not(target, service, error)) from error


def _why_not(target: Local | Grid, service: Service | None, error: Exception) -> str:
    reason = _reason(error)
    if isinstance(target, Grid):
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - as above

        silent = isinstance(error, (HTTPError, OSError))
        return f"{target.title} {'does not answer' if silent else 'gives no browser'}: {reason}."
    path = "" if service is None else service.path
    if "only supports" in reason or "version" in reason.lower():
        text = " ".join(str(getattr(error, "msg", "")).split()[:40])
        return (
            f"the driver '{path}' does not match {target.title}: {reason_of(Exception(text))}. {install_hint(target)}"
        )
    return f"{target.title} does not start through '{path}': {reason}."


def _service(target: Local, programs: Programs, watch: Callable[[int], None]) -> Service:
    """Return what starts the driver; ``watch`` is told its process group before there is a browser in it."""
    from selenium import webdriver  # noqa: PLC0415 - an extra

    kind = {
        "chrome": webdriver.ChromeService,
        "firefox": webdriver.FirefoxService,
        "edge": webdriver.EdgeService,
        "safari": webdriver.SafariService,
    }[target.name]

    def is_running(service: Any) -> None:
        """Asked as soon as there is a process, and again until the driver answers."""
        watch(service.process.pid)
        kind.assert_process_still_running(service)

    watched = type(kind.__name__, (kind,), {"assert_process_still_running": is_running})
    # A session of its own: Ctrl-C reaches us alone, and the whole group can be ended.
    service: Service = watched(programs.driver, popen_kw={"start_new_session": True})
    return service


def _local(target: Local, service: Service | None) -> WebDriver:
    from selenium import webdriver  # noqa: PLC0415 - an extra

    drivers = {
        "chrome": webdriver.Chrome,
        "firefox": webdriver.Firefox,
        "edge": webdriver.Edge,
        "safari": webdriver.Safari,
    }
    options = _options(target.name)
    if target.name != "safari":
        options.binary_location = find_programs(target).browser
    driver: WebDriver = drivers[target.name](options=options, service=service)
    return driver


def _options(name: str) -> Any:
    from selenium import webdriver  # noqa: PLC0415 - an extra

    if name == "safari":
        return webdriver.SafariOptions()
    options = {
        "chrome": webdriver.ChromeOptions,
        "firefox": webdriver.FirefoxOptions,
        "edge": webdriver.EdgeOptions,
    }[name]()
    for flag in ("-headless",) if name == "firefox" else _chromium_flags():
        options.add_argument(flag)
    return options


def _chromium_flags() -> Iterator[str]:
    yield from _CHROMIUM_FLAGS
    if sys.platform != "linux":
        return
    if os.geteuid() == 0:
        yield "--no-sandbox"  # which root cannot have
    if any(any(Path("/dev").glob(pattern)) for pattern in _GPU_DEVICES):
        yield from _LINUX_GPU_FLAGS
    with contextlib.suppress(OSError):
        shared = os.statvfs("/dev/shm")  # noqa: S108 - Chromium's own place
        if shared.f_frsize * shared.f_blocks < _LEAST_SHARED_BYTES:
            yield "--disable-dev-shm-usage"


def _remote(target: Grid) -> WebDriver:
    from selenium import webdriver  # noqa: PLC0415 - an extra
    from selenium.webdriver.common.options import ArgOptions  # noqa: PLC0415
    from selenium.webdriver.remote.client_config import ClientConfig  # noqa: PLC0415
    from selenium.webdriver.remote.remote_connection import RemoteConnection  # noqa: PLC0415
    from urllib3 import Timeout  # noqa: PLC0415

    class _Asked(ArgOptions):  # type: ignore[misc] # Any, where the extra is missing
        @property
        def default_capabilities(self) -> dict[str, Any]:
            return {}

    options: ArgOptions = _Asked()
    for name, value in target.capabilities.items():
        options.set_capability(name, value)
    parts = urllib.parse.urlsplit(target.url)
    named = {"username": parts.username, "password": parts.password} if parts.username else {}
    decoded = {key: urllib.parse.unquote(text or "") for key, text in named.items()}
    # Selenium warns of names and passwords in the address itself.
    config = ClientConfig(target.address, **decoded)
    timeout = Timeout(connect=_CONNECT_TIMEOUT_S, read=_ANSWER_TIMEOUT_S)
    config.init_args_for_pool_manager = {"init_args_for_pool_manager": {"timeout": timeout, "retries": False}}
    return webdriver.Remote(RemoteConnection(client_config=config), options=options)


def _end(service: Service) -> None:
    """End the driver and what it started."""
    process = getattr(service, "process", None)
    if process is None:
        return
    with contextlib.suppress(*_failures()):
        service.stop()
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.poll()
