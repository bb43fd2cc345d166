"""Dynamics AX 2012: change capture, projector, AIF sink."""
