"""Write the published files: `python -m sandbox.ax.contract`.

A unit test fails when they no longer match the tables.
"""

from sandbox.ax.contract.files import FOLDER, render


def main() -> None:
    """Write every WSDL and XSD part into `sandbox/ax/wsdl/`."""
    for name, text in render().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
