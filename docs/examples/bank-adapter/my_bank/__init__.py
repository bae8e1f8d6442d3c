"""An example: a bank's own core behind Sixpence, with a stand-in to try it on."""
