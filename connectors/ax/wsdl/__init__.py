"""Our copy of the AIF port's WSDL and XSD files: the contract that requests are built from and checked against.

`xppservice.wsdl` is what the port serves at `?wsdl`, `wsdl1.wsdl` at `?wsdl=wsdl1`, `xsd5.xsd` at `?xsd=xsd5`. Replace
them with the files of your own port (any host name in them is fine) when its document or update level differs.
"""
