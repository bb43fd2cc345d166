"""The kinds of step, each compiled from its declaration to a plain function of a run."""
