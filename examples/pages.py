"""Real pages that every machine has after set-up: the standard library's docstrings and the descriptions of packages.

Collected in the same order with the same text each time, without network. Nothing here knows Vectis.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import Distribution, distributions
from typing import Any

MODULES = """
abc argparse array ast asyncio asyncio.events asyncio.locks asyncio.queues asyncio.streams asyncio.subprocess
asyncio.tasks asyncio.timeouts base64 bdb binascii bisect builtins bz2 calendar cmath cmd code codecs collections
collections.abc colorsys compileall concurrent.futures configparser contextlib contextvars copy copyreg csv ctypes
dataclasses datetime decimal difflib dis doctest email email.message email.policy email.utils enum errno
faulthandler fileinput filecmp fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib gzip
hashlib heapq hmac html html.parser http http.client http.cookies http.server imaplib importlib importlib.metadata
importlib.resources inspect io ipaddress itertools json json.decoder json.encoder keyword linecache locale logging
logging.config logging.handlers lzma mailbox marshal math mimetypes mmap multiprocessing multiprocessing.connection
multiprocessing.pool multiprocessing.shared_memory netrc numbers operator optparse os os.path pathlib pdb pickle
pickletools pkgutil platform plistlib poplib pprint profile pstats py_compile pyclbr pydoc queue quopri random re
reprlib runpy sched secrets select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3 ssl
stat statistics string struct subprocess symtable sys sysconfig tabnanny tarfile tempfile textwrap threading time
timeit token tokenize trace traceback tracemalloc types typing unicodedata unittest unittest.mock urllib.error
urllib.parse urllib.request urllib.robotparser uuid venv warnings wave weakref webbrowser wsgiref.simple_server
wsgiref.util xml.dom.minidom xml.etree.ElementTree xml.sax xmlrpc.client xmlrpc.server zipapp zipfile zipimport zlib
zoneinfo
"""
"""Modules that can be imported without any effect but their own. Those that a platform lacks are left out."""

TEXT_MIN = 160
TEXT_MAX = 700
DESCRIPTION_MAX = 1500
METHODS_MAX = 6
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

Page = dict[str, str]


def collect(pages_max: int) -> list[Page]:
    """At most `pages_max` pages as {id, title, text, url, kind}: packages and modules first, then classes and functions."""
    pages = [*_package_pages(), *_module_pages(), *_member_pages(inspect.isclass), *_member_pages(inspect.isroutine)]
    return pages[:pages_max]


def _package_pages() -> Iterator[Page]:
    by_name: dict[str, Distribution] = {each.metadata["Name"].lower(): each for each in distributions()}
    for name in sorted(by_name):
        about = by_name[name].metadata
        description = (about.get_payload() or about.get("Description") or "").strip()
        if len(description) >= TEXT_MIN:
            summary = about.get("Summary", "")
            text = f"# {name}\n\n{summary}\n\n{_beginning(description, DESCRIPTION_MAX)}\n"
            yield _page(f"package/{name}", name, text, about.get("Home-page") or "", "package")


def _module_pages() -> Iterator[Page]:
    for module in _modules():
        text = inspect.getdoc(module) or ""
        if len(text) >= TEXT_MIN // 2:
            yield _page(
                f"module/{module.__name__}",
                module.__name__,
                f"# {module.__name__}\n\n{_beginning(text, TEXT_MAX)}\n",
                f"https://docs.python.org/3/library/{module.__name__}.html",
                "module",
            )


def _member_pages(wanted: Any) -> Iterator[Page]:
    """One page for each public class or function that is documented in the module it belongs to."""
    seen: set[int] = set()
    for module in _modules():
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in sorted(names):
            member = getattr(module, name, None)
            own = getattr(member, "__module__", None) in (module.__name__, f"_{module.__name__}", None)
            if not wanted(member) or not own or id(member) in seen:
                continue
            seen.add(id(member))
            text = _documented(member)
            if len(text) >= TEXT_MIN:
                title = f"{module.__name__}.{name}"
                url = f"https://docs.python.org/3/library/{module.__name__}.html#{title}"
                kind = "class" if inspect.isclass(member) else "function"
                yield _page(f"{kind}/{title}", title, f"# {title}\n\n{_signature(name, member)}{text}\n", url, kind)


def _modules() -> Iterator[Any]:
    for name in MODULES.split():
        try:
            yield import_module(name)
        except ImportError:
            continue


def _documented(member: Any) -> str:
    """The docstring's first part; a class's with the first lines of its methods'."""
    text = _beginning(inspect.getdoc(member) or "", TEXT_MAX)
    if not inspect.isclass(member) or not text:
        return text
    lines = [
        f"- `{name}`: {first}"
        for name, method in sorted(vars(member).items())
        if not name.startswith("_") and (first := (inspect.getdoc(method) or "").partition("\n")[0])
    ]
    return "\n".join([text, "", *lines[:METHODS_MAX]]).strip()


def _signature(name: str, member: Any) -> str:
    try:
        shown = f"{name}{inspect.signature(member)}"
    except (ValueError, TypeError):
        return ""
    return f"`{_ADDRESS.sub('', shown)[:200]}`\n\n"


def _beginning(text: str, length_max: int) -> str:
    """Whole paragraphs up to `length_max` characters; a longer first one is cut."""
    kept = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if kept and len(kept) + len(paragraph) > length_max:
            break
        kept = f"{kept}\n\n{paragraph}" if kept else paragraph[:length_max]
    return _ADDRESS.sub("", kept)


def _page(id: str, title: str, text: str, url: str, kind: str) -> Page:
    return {"id": id, "title": title, "text": text, "url": url, "kind": kind}
