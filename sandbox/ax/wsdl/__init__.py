"""The WSDL and XSD files of the simulated port, made by `python -m sandbox.ax.contract`."""
