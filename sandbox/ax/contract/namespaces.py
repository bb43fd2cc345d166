"""Namespaces of the AIF wire format (ax-aif.md section 2.3) and the address that stands in the published files."""

PLACEHOLDER = "http://ax.invalid/MicrosoftDynamicsAXAif60/FreshaxServices/xppservice.svc"
"""Stands for the server's own absolute URL in the committed files; replaced when a file is served."""

PATH = "/MicrosoftDynamicsAXAif60/FreshaxServices/xppservice.svc"

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ROUTER = "http://schemas.microsoft.com/netfx/2009/05/routing"
SERVICES = "http://schemas.microsoft.com/dynamics/2008/01/services"
CONTEXT = "http://schemas.microsoft.com/dynamics/2010/01/datacontracts"
SHARED_TYPES = "http://schemas.microsoft.com/dynamics/2008/01/sharedtypes"
ENTITY_KEY = "http://schemas.microsoft.com/dynamics/2006/02/documents/EntityKey"
ENTITY_KEY_LIST = "http://schemas.microsoft.com/dynamics/2006/02/documents/EntityKeyList"
QUERY_CRITERIA = "http://schemas.microsoft.com/dynamics/2006/02/documents/QueryCriteria"
FAULT = "http://schemas.microsoft.com/dynamics/2008/01/documents/Fault"
INFOLOG = "http://schemas.datacontract.org/2004/07/Microsoft.Dynamics.AX.Framework.Services"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
