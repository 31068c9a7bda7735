"""What pyproject.toml cannot say: ready inputs go into the wheel, and the README's links hold wherever it is shown."""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("arch", "problems", "mappers", "examples")
HOME = ""  # where this repository can be read, ending in a slash; links of the README are absolute with it


class BuildWithInputs(build_py):
    """Copies the ready inputs to where ``timeloop_marl.specs.shipped`` looks for them."""

    def run(self) -> None:
        """After what setuptools itself copies."""
        super().run()
        if not self.editable_mode:
            for name in SHIPPED:
                target = Path(self.build_lib) / "timeloop_marl" / "shipped" / name
                shutil.rmtree(target, ignore_errors=True)
                shutil.copytree(name, target, ignore=shutil.ignore_patterns("__pycache__", "out", ".*"))


def readme() -> str:
    """README.md with links that do not lead into the repository, or lead there by its address."""
    text = Path("README.md").read_text(encoding="utf-8")
    if not HOME:
        text = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n", "", text, flags=re.MULTILINE)
        return re.sub(r"\[([^\]]*)\]\((?!https?:)([^)#]*)[^)]*\)", r"\1 (\2)", text)
    return re.sub(r"\]\((?!https?:)([^)]*)\)", rf"]({HOME}\1)", text)


setup(
    cmdclass={"build_py": BuildWithInputs},
    long_description=readme(),
    long_description_content_type="text/markdown",
)
