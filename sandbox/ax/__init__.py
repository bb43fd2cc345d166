"""Simulator of Dynamics AX 2012 R3: AIF document services over the stand-in database."""
