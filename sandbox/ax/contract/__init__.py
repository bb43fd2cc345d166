"""What the simulated AIF port publishes: types, entities and the WSDL/XSD files made of them."""
